"""The usual request for a prediction, and the same one on the long way through the application behind."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from starlette.types import Message

from services.predictor.api.app import build_app
from services.predictor.api.keys import ApiKeys
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.quick_answers import QuickAnswers
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.http.api import Api
from shared.http.browsers import HEADERS
from shared.http.limits import BodyBudget
from shared.http.problems import Problem
from shared.runtime.health import Health
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact
from tests.unit.predictor.test_api_keys import KEY, LONG_WAY, entry

LIMIT_BYTES = 100_000
IMAGE = {"file": ("a.png", picture(), "image/png")}
DIFFER = {"prediction_id", "trace_id", "milliseconds"}
LONG_ONLY = ("a larger file", "no form", "a large image as it is", "a name of others")
"""What is handed on by its head."""
ANSWERED = ("an image", "an image as it is", "a field beside it", "an odd name", "a key in the other header")
REQUESTS: dict[str, dict[str, Any]] = {
    "an image": {"files": IMAGE},
    "no file name": {"files": {"file": (None, b"text")}},
    "an empty file": {"files": {"file": ("a.png", b"")}},
    "no image": {"files": {"file": ("a.png", b"<html>")}},
    "half an image": {"files": {"file": ("a.png", picture()[:60])}},
    "another field": {"files": {"image": IMAGE["file"]}},
    "two files": {"files": [("file", IMAGE["file"]), ("file", IMAGE["file"])]},
    "a field beside it": {"files": IMAGE, "data": {"label": "Löwenzahn"}},
    "an odd name": {"files": {"file": ('a"; name="b.png', picture(), "image/png")}},
    "a large file": {"files": {"file": ("a.png", b"x" * (LIMIT_BYTES + 1))}},
    "a larger file": {"files": {"file": ("a.png", b"x" * (LIMIT_BYTES + 100_000))}},
    "no form": {"content": picture(), "headers": {"content-type": "text/plain"}},
    "an image as it is": {"content": picture(), "headers": {"content-type": "image/png"}},
    "half an image as it is": {"content": picture()[:60], "headers": {"content-type": "image/png; q=1"}},
    "nothing as an image": {"content": b"", "headers": {"content-type": "image/jpeg"}},
    "a large image as it is": {"content": b"x" * (LIMIT_BYTES + 1), "headers": {"content-type": "IMAGE/JPEG"}},
    "a broken form": {"content": b"--x\r\n\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    "a form without boundary": {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
    "no body": {"headers": {"content-type": "multipart/form-data; boundary=x"}},
    "a name of others": {"files": IMAGE, "headers": {"host": "images.example.com"}},
    "no key": {"files": IMAGE, "headers": {"authorization": ""}},
    "a wrong key": {"files": IMAGE, "headers": {"authorization": "Bearer wrong"}},
    "a key in the other header": {"files": IMAGE, "headers": {"authorization": "", "x-api-key": KEY}},
}


@dataclass
class Replica:
    """A replica that asks for a key, which its client sends."""

    in_service: ModelHolder
    predictions: Predictions
    keys: ApiKeys
    app: Api
    client: httpx2.AsyncClient

    def serve(self, model: Model | None = None) -> None:
        artefact = small_artefact()
        self.in_service.swap(ServingModel(promotion(1, artefact), model or Model(artefact), NOON))


@pytest.fixture
async def replica(tracing: None) -> AsyncIterator[Replica]:
    keys, in_service, log = ApiKeys(), ModelHolder(), PredictionLog(limit=100)
    keys.set_all([entry("shop", KEY)])
    predictions = Predictions(in_service, log, "replica-0", Turns(0.25, 2))
    app = build_app(predictions, Health(needed=set()), LIMIT_BYTES, keys=keys)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://replica", headers=headers) as client:
        yield Replica(in_service, predictions, keys, app, client)


def seen(response: httpx2.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return what a client sees, without what differs between any two answers."""
    body = {name: value for name, value in response.json().items() if name not in DIFFER}
    headers = dict(response.headers) | {"x-trace-id": "", "content-length": ""}
    return response.status_code, body, headers


@pytest.mark.parametrize("name", REQUESTS)
async def test_both_ways_answer_the_same(replica: Replica, name: str) -> None:
    replica.serve()
    request = REQUESTS[name]
    quick = await replica.client.post("/predict", **request)
    headers = {**request.get("headers", {}), **LONG_WAY}
    long_way = await replica.client.post("/predict", **{**request, "headers": headers})
    assert seen(quick) == seen(long_way)
    assert {header.lower() for header in HEADERS} <= set(quick.headers)
    assert (quick.status_code == 200) == (name in ANSWERED)


@pytest.mark.parametrize("name", [name for name in REQUESTS if name not in LONG_ONLY])
async def test_the_short_way_is_taken(replica: Replica, name: str) -> None:
    replica.serve()

    async def behind(*_: object) -> None:
        raise AssertionError("The request was handed on.")

    quick = QuickAnswers(behind, replica.predictions, replica.keys, (), LIMIT_BYTES, BodyBudget())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(quick), base_url="http://replica") as client:
        headers = {"authorization": f"Bearer {KEY}", **REQUESTS[name].get("headers", {})}
        answer = await client.post("/predict", **{**REQUESTS[name], "headers": headers})
    assert (answer.status_code == 200) == (name in ANSWERED)


async def test_without_a_model_both_ways_say_so_and_count_it(replica: Replica) -> None:
    count = partial(REGISTRY.get_sample_value, "pappus_prediction_refusals_total", {"reason": "no_model"})
    before = count() or 0.0
    quick = await replica.client.post("/predict", files=IMAGE)
    long_way = await replica.client.post("/predict", files=IMAGE, headers=LONG_WAY)
    assert seen(quick) == seen(long_way)
    assert (quick.status_code, quick.json()["error"], quick.headers["retry-after"]) == (503, "no_model", "2")
    assert (count() or 0.0) - before == 2


def requests_counted(status: str) -> float:
    labels = {"method": "POST", "route": "/predict", "status": status}
    return REGISTRY.get_sample_value("pappus_http_requests_total", labels) or 0.0


async def test_a_request_is_counted_once_with_its_status_on_either_way(replica: Replica) -> None:
    replica.serve()
    for headers in ({}, LONG_WAY):
        before = [requests_counted(status) for status in ("200", "422", "500")]
        await replica.client.post("/predict", files=IMAGE, headers=headers)
        await replica.client.post("/predict", files={"file": ("a", b"no")}, headers=headers)
        after = [requests_counted(status) for status in ("200", "422", "500")]
        assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 0]


async def test_the_answer_belongs_to_the_trace_of_the_caller_or_one_of_its_own(replica: Replica) -> None:
    replica.serve()
    trace_id = f"{77:032x}"
    called = await replica.client.post(
        "/predict", files=IMAGE, headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    )
    assert (called.json()["trace_id"], called.headers["x-trace-id"]) == (trace_id, trace_id)
    own = [(await replica.client.post("/predict", files=IMAGE)) for _ in "12"]
    assert len({each.json()["trace_id"] for each in own}) == 2
    assert all(each.json()["trace_id"] == each.headers["x-trace-id"] for each in own)


class Broken(Model):
    """A model that fails on every image."""

    def answer(self, image: object) -> Any:
        raise RuntimeError("the secret reason")


async def test_a_bug_is_a_problem_without_its_text(replica: Replica) -> None:
    replica.serve(Broken(small_artefact()))
    failed = await replica.client.post("/predict", files=IMAGE)
    assert (failed.status_code, failed.json()["error"]) == (500, "internal_error")
    assert "secret" not in failed.text
    replica.serve()
    assert (await replica.client.post("/predict", files=IMAGE)).status_code == 200


async def ask(replica: Replica, messages: list[Message]) -> list[Message]:
    """Send a request whose body comes in these messages; return what is sent back."""
    sent: list[Message] = []
    content_type, body = "multipart/form-data; boundary=x", sum(len(each.get("body", b"")) for each in messages)
    headers = {"host": "replica", "authorization": f"Bearer {KEY}", "content-type": content_type}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "headers": [*((k.encode(), v.encode()) for k, v in headers.items()), (b"content-length", b"%d" % body)],
    }

    async def receive() -> Message:
        return messages.pop(0) if messages else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    await replica.app(scope, receive, send)
    return sent


async def test_a_body_in_pieces_is_answered_and_one_that_is_cut_is_not(replica: Replica) -> None:
    replica.serve()
    form = httpx2.Request(
        "POST", "http://replica", files=IMAGE, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    body = form.read()
    pieces: list[Message] = [
        {"type": "http.request", "body": body[at : at + 50], "more_body": at + 50 < len(body)}
        for at in range(0, len(body), 50)
    ]
    start, _ = await ask(replica, list(pieces))
    assert start["status"] == 200
    start, _ = await ask(replica, [*pieces[:2], {"type": "http.disconnect"}])
    assert start["status"] == 400


async def test_a_request_for_which_there_is_no_room_is_refused(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.serve()

    def full(*_: object) -> None:
        raise Problem(503, "overloaded", "Too many bytes.", retry_after_seconds=1)

    monkeypatch.setattr("shared.http.limits.BodyBudget.add", full)
    refused = await replica.client.post("/predict", files=IMAGE)
    assert (refused.status_code, refused.json()["error"], refused.headers["retry-after"]) == (503, "overloaded", "1")
