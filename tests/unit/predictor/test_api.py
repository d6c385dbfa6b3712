"""One replica over HTTP, without a socket."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from uuid import UUID

import httpx2
import numpy as np
import pytest
from PIL import Image
from prometheus_client import REGISTRY

from services.predictor.api.app import build_app
from services.predictor.api.examples import VERSION
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.model.readiness import MODEL_PART, readiness
from services.predictor.model.scoring import INLINE_BYTES
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.http.problems import Problem
from shared.runtime.health import Health
from shared.testing import MemoryEventLog, eventually
from tests.examples import send_examples
from tests.unit.predictor.example_answer import example_answer
from tests.unit.predictor.example_batches import SUBMISSIONS, ExampleBatches
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact

LIMIT_BYTES = 300_000
ROUTES = [
    "POST /predict",
    "GET /model",
    "GET /predictions/{prediction_id}",
    "POST /predictions",
    "GET /batches/{batch_id}",
    "GET /batches/{batch_id}/events",
    "GET /v2",
    "GET /v2/health/live",
    "GET /v2/health/ready",
    *(
        line
        for path in ("/v2/models/{model_name}", "/v2/models/{model_name}/versions/{model_version}")
        for line in (f"GET {path}", f"GET {path}/ready", f"POST {path}/infer")
    ),
    "POST /invocations",
    "GET /ping",
    "GET /version",
]
"""Those that are described."""
CORRECTED = UUID(int=5)


class Replica:
    """A replica with all it needs, but no Kafka and no loader."""

    def __init__(self) -> None:
        self.health = Health(needed={MODEL_PART})
        self.notify = readiness(self.health)
        self.in_service = ModelHolder()
        self.prediction_log = PredictionLog(limit=10)
        self.predictions = Predictions(self.in_service, self.prediction_log, "replica-0", Turns(0.25, 2))
        app = build_app(
            self.predictions,
            self.health,
            LIMIT_BYTES,
            answers=GivenAnswers(example_answer, batches=ExampleBatches()),
            submissions=SUBMISSIONS,
        )
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://replica"
        )

    def serve(self, sequence: int, artefact: bytes, version: str | None = None) -> None:
        serving = ServingModel(promotion(sequence, artefact, version), Model(artefact), NOON)
        self.in_service.swap(serving)
        self.notify(serving, None)

    async def logged(self) -> list[PredictionLogged]:
        event_log = MemoryEventLog()
        async with event_log.publisher("pappus/jobs") as publisher:
            task = asyncio.create_task(self.prediction_log.run(publisher))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return [answer for event in event_log.events(AnswersLogged) for answer in event.each()]


@pytest.fixture
async def replica(tracing: None) -> AsyncIterator[Replica]:
    made = Replica()
    async with made.client:
        yield made


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("pappus_prediction_refusals_total", {"reason": reason}) or 0.0


def exceeds(responses: list[httpx2.Response], count: int) -> bool:
    return len(responses) > count


async def test_before_the_first_model_the_replica_lives_but_is_not_ready(replica: Replica) -> None:
    assert (await replica.client.get("/livez")).status_code == 200
    assert (await replica.client.get("/readyz")).status_code == 503
    refused = await replica.client.post("/predict", files={"file": picture()})
    assert refused.status_code == 503
    assert refused.json()["error"] == "no_model"
    assert int(refused.headers["retry-after"]) > 0
    assert (await replica.client.get("/model")).status_code == 503


async def test_an_answer_names_label_probabilities_model_and_what_it_is_about(replica: Replica) -> None:
    replica.serve(3, small_artefact(corrections=[(CORRECTED, (1, 0, 0))]))
    red = picture(red=255, green=0, blue=0)
    response = await replica.client.post("/predict", files={"file": ("red.png", red, "image/png")})
    body = response.json()
    assert response.status_code == 200
    assert body["label"] == "dandelion"
    assert sum(body["probabilities"].values()) == pytest.approx(1)
    assert (body["model_version"], body["model_sequence"], body["replica"]) == ("fast-3", 3, "replica-0")
    assert body["sha256"] == hashlib.sha256(red).hexdigest()
    assert body["corrections"] == [{"image_id": str(CORRECTED), "weight": 1.0}]
    assert body["milliseconds"] > 0
    [event] = await replica.logged()
    assert str(event.prediction_id) == body["prediction_id"]
    assert (event.source, event.label, event.corrections) == ("api", "dandelion", (CORRECTED,))


async def test_with_a_model_the_replica_is_ready_and_names_it(replica: Replica) -> None:
    replica.serve(3, small_artefact())
    assert (await replica.client.get("/readyz")).status_code == 200
    model = (await replica.client.get("/model")).json()
    assert (model["version"], model["sequence"], model["labels"]) == ("fast-3", 3, ["dandelion", "grass"])


async def test_who_asks_for_another_model_is_answered_when_there_is_one(replica: Replica) -> None:
    replica.serve(3, small_artefact())
    asked = asyncio.ensure_future(replica.client.get("/model", params={"other_than": "fast-3"}))
    answered, _ = await asyncio.wait([asked], timeout=0.05)
    assert not answered
    replica.serve(4, small_artefact())
    assert (await asked).json()["version"] == "fast-4"
    for params in ({"other_than": "fast-3"}, {"other_than": "fast-4", "wait_seconds": "0.01"}):
        assert (await replica.client.get("/model", params=params)).json()["version"] == "fast-4"
    assert (await replica.client.get("/model", params={"other_than": "a", "wait_seconds": "6"})).status_code == 422


async def test_bytes_that_are_no_image_are_refused_with_the_reason(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    refused = await replica.client.post("/predict", files={"file": b"hello"})
    assert (refused.status_code, refused.json()["error"]) == (422, "not_an_image")
    refused = await replica.client.post("/predict", files={"file": picture()[:50]})
    assert (refused.status_code, refused.json()["error"]) == (422, "truncated")
    refused = await replica.client.post("/predict", files={"file": b""})
    assert (refused.status_code, refused.json()["error"]) == (422, "empty")


async def test_an_image_above_the_limit_is_refused(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    for size_bytes in (LIMIT_BYTES + 1, LIMIT_BYTES * 3):
        refused = await replica.client.post("/predict", files={"file": b"x" * size_bytes})
        assert (refused.status_code, refused.json()["error"]) == (413, "too_large")


async def test_a_form_without_the_file_is_refused(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    refused = await replica.client.post("/predict", files={"other": picture()})
    assert (refused.status_code, refused.json()["error"]) == (422, "file_missing")
    refused = await replica.client.post("/predict", content=picture(), headers={"content-type": "image/tiff"})
    assert (refused.status_code, refused.json()["error"]) == (415, "not_multipart")


async def test_further_requests_are_refused_while_too_many_are_in_flight(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    with await replica.predictions.turns.take("a") as one, ExitStack() as held:
        one.leave()
        held.enter_context(await replica.predictions.turns.take("b")).leave()
        refused = await replica.client.post("/predict", files={"file": picture()})
        assert (refused.status_code, refused.json()["error"]) == (503, "overloaded")
    assert (await replica.client.post("/predict", files={"file": picture()})).status_code == 200


async def test_a_request_that_waited_too_long_is_refused(replica: Replica) -> None:
    async def ask(seconds_ago: float) -> None:
        with await replica.predictions.turns.take("a", time.monotonic() - seconds_ago):
            pass

    await ask(0.1)
    with pytest.raises(Problem) as refused:
        await ask(10.0)
    assert (refused.value.status_code, refused.value.error) == (503, "overloaded")
    assert refused.value.headers == {"Retry-After": "1", "Connection": "close"}


async def test_requests_that_are_half_sent_take_the_place_of_no_other(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    reading = 0

    async def half() -> AsyncIterator[bytes]:
        nonlocal reading
        yield b"--abc"
        reading += 1
        await asyncio.Event().wait()

    headers = {"content-type": "multipart/form-data; boundary=abc"}
    held = [asyncio.create_task(replica.client.post("/predict", content=half(), headers=headers)) for _ in range(3)]
    await eventually(lambda: reading == 3)

    assert (await replica.client.post("/predict", files={"file": picture()})).status_code == 200

    for each in held:
        each.cancel()
    await asyncio.gather(*held, return_exceptions=True)


async def test_swaps_lose_no_request_and_each_answer_fits_its_version(replica: Replica) -> None:
    artefacts = {n: small_artefact(bias=(float(n), 0.0)) for n in range(1, 6)}
    grey = picture(0, 0, 0)
    replica.serve(1, artefacts[1])
    expected: dict[int, float] = {}
    for n, artefact in artefacts.items():
        replica.serve(n, artefact)
        expected[n] = (await replica.client.post("/predict", files={"file": grey})).json()["probabilities"]["dandelion"]
    assert len(set(expected.values())) == len(expected)
    responses: list[httpx2.Response] = []
    swapped = asyncio.Event()

    async def steadily() -> None:
        while not swapped.is_set():
            responses.append(await replica.client.post("/predict", files={"file": grey}))
            await asyncio.sleep(0)  # in memory a request never waits, so nothing else would ever run

    async def swap() -> None:
        for n in list(artefacts) * 4:
            model = await asyncio.to_thread(Model, artefacts[n])
            before = len(responses)
            replica.in_service.swap(ServingModel(promotion(n, artefacts[n]), model, NOON))
            await eventually(partial(exceeds, responses, before + 3))
        swapped.set()

    await asyncio.gather(steadily(), steadily(), swap())
    assert {response.status_code for response in responses} == {200}
    bodies = [response.json() for response in responses]
    assert {body["model_sequence"] for body in bodies} == set(artefacts)
    for body in bodies:
        assert body["probabilities"]["dandelion"] == expected[body["model_sequence"]]
        assert body["model_version"] == f"fast-{body['model_sequence']}"


async def test_a_large_image_is_answered_like_a_small_one(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    noise = np.random.default_rng(1).integers(0, 256, (200, 400, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    assert INLINE_BYTES < len(buffer.getvalue()) < LIMIT_BYTES
    response = await replica.client.post("/predict", files={"file": buffer.getvalue()})
    assert response.status_code == 200
    assert response.json()["trace_id"] is not None


async def test_a_path_that_is_not_there_is_an_error_like_all_others(replica: Replica) -> None:
    missing = await replica.client.get("/nothing")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
    assert "/docs" in missing.json()["detail"]
    wrong = await replica.client.get("/predict")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "method_not_allowed")


async def test_metrics_page_and_documentation_answer_without_a_model(replica: Replica) -> None:
    metrics = await replica.client.get("/metrics")
    assert "pappus_prediction_stage_seconds" in metrics.text
    assert 'action="/predict"' in (await replica.client.get("/")).text
    schema = (await replica.client.get("/openapi.json")).json()
    form = schema["paths"]["/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]
    errors = {s: r["content"] for s, r in schema["paths"]["/predict"]["post"]["responses"].items() if s >= "400"}
    assert set(errors) == {"400", "403", "408", "413", "415", "421", "422", "500", "503"}  # no key, so no 401 and 429
    assert all(list(content) == ["application/problem+json"] for content in errors.values())


async def test_each_example_runs_and_none_speaks_of_a_key(replica: Replica) -> None:
    replica.serve(1, small_artefact(), VERSION)
    assert await send_examples(replica.client, {}) == ROUTES
    document = (await replica.client.get("/openapi.json")).json()
    assert "securitySchemes" not in document["components"]
    assert "Authorize" not in document["info"]["description"]


async def test_a_request_without_an_answer_is_counted_by_its_reason(replica: Replica) -> None:
    before = refusals("no_model"), refusals("not_an_image")
    await replica.client.post("/predict", files={"file": picture()})
    await replica.client.get("/model")
    replica.serve(1, small_artefact())
    await replica.client.post("/predict", files={"file": b"hello"})

    assert (refusals("no_model"), refusals("not_an_image")) == (before[0] + 1, before[1] + 1)


async def test_the_trace_of_the_caller_is_continued(replica: Replica) -> None:
    replica.serve(1, small_artefact())
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    parent = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    body = (await replica.client.post("/predict", files={"file": picture()}, headers=parent)).json()
    assert body["trace_id"] == trace_id
