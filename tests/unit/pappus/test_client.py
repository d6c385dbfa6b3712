"""`pappus.client`: logins, retries, and loops over pages. Against the real API: tests/integration/labeler."""

import io
import zipfile
from collections.abc import Callable
from json import loads
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from pappus.client import ApiProblem, ApiUnreachable, BulkCorrection, Pappus
from shared.clients.answers import Prediction
from shared.clients.api import RETRY_PAUSE_SECONDS

from .api_answers import prediction

Answer = Callable[[httpx2.Request], httpx2.Response]
SESSION = {"token": "t", "name": "anna", "role": "labeler", "expires_at": "2026-05-04T12:00:00Z"}
STORED = {"image_id": str(uuid4()), "sha256": "a" * 64, "label": None, "revision": 0}


class Server:
    """Both APIs: `answers` by path, each with the answers to give one after the other, the last one again and again."""

    def __init__(self, **answers: list[httpx2.Response | Exception]) -> None:
        self.answers = answers
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.path == "/login":
            return httpx2.Response(200, json=SESSION)
        left = self.answers[request.url.path.strip("/").split("/")[0]]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def asked(self, path: str) -> list[httpx2.Request]:
        return [request for request in self.requests if request.url.path == path]


def connected(server: Server, retry_for_seconds: float = 10 * RETRY_PAUSE_SECONDS) -> Pappus:
    return Pappus(
        "http://labeler",
        "http://predictor",
        name="anna",
        password="secret",
        predictor_key="a key",
        retry_for_seconds=retry_for_seconds,
        transport=httpx2.MockTransport(server),
    )


def json(status: int, **body: Any) -> httpx2.Response:
    return httpx2.Response(status, json=body)


def test_an_upload_is_sent_again_under_one_key_and_later_under_the_same(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"a photo")
    server = Server(images=[httpx2.ConnectError("refused"), json(503, error="unavailable"), json(201, **STORED)])
    with connected(server) as pappus:
        pappus.upload(photo)
        pappus.upload(b"a photo")
        pappus.upload(b"another")
    keys = [request.headers["Idempotency-Key"] for request in server.asked("/images")]

    assert len(keys) == 5
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]
    assert b'filename="photo.jpg"' in server.asked("/images")[0].content


def test_what_is_refused_is_not_sent_again_and_says_why() -> None:
    server = Server(images=[json(422, error="unknown_label", detail="'tree' is not a label of this installation.")])
    with connected(server) as pappus, pytest.raises(ApiProblem, match="'tree' is not a label") as refused:
        pappus.upload(b"a photo", label="tree")

    assert refused.value.code == "unknown_label"
    assert len(server.asked("/images")) == 1


def test_an_api_that_stays_away_is_named() -> None:
    with (
        connected(Server(models=[httpx2.ConnectError("refused")]), 0) as pappus,
        pytest.raises(ApiUnreachable, match=r"No answer from http://labeler .*Is the address right"),
    ):
        pappus.models()


def test_a_session_that_ended_is_begun_again() -> None:
    server = Server(
        models=[httpx2.Response(200, json=[]), json(401, error="unauthorised"), httpx2.Response(200, json=[])]
    )
    with connected(server) as pappus:
        assert (pappus.models(), pappus.models()) == ([], [])

    assert len(server.asked("/login")) == 2
    assert {request.headers["Authorization"] for request in server.asked("/models")} == {"Bearer t"}


def test_many_labels_go_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pappus.client.MAX_BULK", 2)
    images = [uuid4() for _ in range(5)]
    answers = [[{"image_id": str(each), "outcome": "applied"} for each in images[at : at + 2]] for at in (0, 2, 4)]
    server = Server(images=[json(200, items=items) for items in answers])
    with connected(server) as pappus:
        outcomes = list(pappus.correct_all(BulkCorrection(each, 0, "grass") for each in images))

    assert [outcome.image_id for outcome in outcomes] == images
    assert len(server.asked("/images/labels")) == 3


def event(number: int) -> dict[str, Any]:
    return {
        "number": number,
        "event_id": str(UUID(int=number)),
        "type": "label.corrected",
        "occurred_at": "2026-05-04T12:00:00Z",
        "data": {},
    }


def test_events_are_followed_from_page_to_page_and_then_awaited() -> None:
    pages = [
        json(200, items=[event(1), event(2)], next=2, more=True, newest=3),
        json(200, items=[event(3)], next=3, more=False, newest=3),
        json(200, items=[], next=3, more=False, newest=3),
        json(200, items=[event(4)], next=4, more=False, newest=4),
    ]
    server = Server(events=list(pages))
    with connected(server) as pappus:
        following = pappus.events(follow=True, types=["label.corrected"])
        assert [next(following).number for _ in range(4)] == [1, 2, 3, 4]
        server.answers["events"] = [*pages[:2]]
        assert [each.number for each in pappus.events()] == [1, 2, 3]

    asked = [request.url.params for request in server.asked("/events")]
    assert [params["after"] for params in asked] == ["0", "2", "3", "3", "0", "2"]
    assert float(asked[0]["wait"]) > 0 == float(asked[5]["wait"])


def test_the_predictor_gets_its_key_and_no_token() -> None:
    answer = Prediction.model_validate(prediction(uuid4())).model_dump(mode="json")
    server = Server(predict=[json(200, **answer)])
    with connected(server) as pappus:
        assert pappus.predict(b"a photo").label == "grass"

    [request] = server.requests
    assert request.headers["X-Api-Key"] == "a key"
    assert "Authorization" not in request.headers


BATCH = uuid4()


def batch(*states: str, size: int = 3) -> httpx2.Response:
    """Return a page of a batch whose first images are in these states."""
    shown = [
        {"prediction_id": str(UUID(int=index)), "batch_id": str(BATCH), "index": index, "state": state}
        for index, state in enumerate(states)
        if state != "seen"
    ]
    left = size - sum(state in ("answered", "refused", "seen") for state in states)
    counts = {"pending": left, "answered": size - left, "refused": 0, "finished": not left}
    return json(200, batch_id=str(BATCH), size=size, predictions=shown, **counts)


def test_many_images_go_in_one_archive_and_their_answers_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pappus.client.LOOK_EVERY_SECONDS", 0.001)
    accepted = json(202, batch_id=str(BATCH), size=3, predictions=[str(UUID(int=index)) for index in range(3)])
    unknown = json(404, error="unknown_batch", title="Not found", detail="There is no such batch.")
    pages: list[httpx2.Response | Exception] = [
        unknown,
        batch("answered", "pending", "answered"),
        batch("seen", "refused", "answered"),
    ]
    server = Server(predictions=[httpx2.Response(503), accepted], batches=pages)
    with connected(server) as pappus:
        sent = pappus.predict_later([b"one", b"two", b"three"], key="a run")
        found = list(pappus.predictions(sent.batch_id))

    assert [each.index for each in found] == [0, 1, 2]
    assert [each.state for each in found] == ["answered", "refused", "answered"]
    first, again = server.asked("/predictions")
    assert {first.headers["Idempotency-Key"], again.headers["Idempotency-Key"]} == {"a run"}
    assert first.headers["X-Api-Key"] == "a key"
    body = again.read()
    with zipfile.ZipFile(io.BytesIO(body[body.index(b"PK") :])) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [b"one", b"two", b"three"]


def test_files_of_a_batch_keep_their_names_where_these_differ(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("leaf.png", "a/leaf.png", ".hidden.png", "00001-leaf.png")]
    for number, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes([number]))
    server = Server(predictions=[json(202, batch_id=str(BATCH), size=5, predictions=[str(BATCH)] * 5)])
    with connected(server) as pappus:
        pappus.predict_later([*files, b"bytes"])
    body = server.asked("/predictions")[0].read()
    with zipfile.ZipFile(io.BytesIO(body[body.index(b"PK") :])) as archive:
        names = archive.namelist()
        assert [archive.read(name) for name in names] == [bytes([number]) for number in range(4)] + [b"bytes"]
    assert names == ["leaf.png", "00001-leaf.png", "00002-.hidden.png", "00003-00001-leaf.png", "00004"]


def test_stored_images_and_addresses_are_named_and_not_sent() -> None:
    accepted = json(202, batch_id=str(BATCH), size=1, predictions=[str(UUID(int=0))])
    server = Server(predictions=[accepted])
    with connected(server) as pappus:
        pappus.predict_later(image_ids=[BATCH], callback_url="https://shop.example/done")
        pappus.predict_later(urls=["https://shop.example/1.jpg"])

    asked = [loads(request.read()) for request in server.asked("/predictions")]
    assert asked == [
        {"image_ids": [str(BATCH)], "callback_url": "https://shop.example/done"},
        {"urls": ["https://shop.example/1.jpg"]},
    ]


def test_a_batch_of_two_kinds_of_images_is_refused_before_anything_is_sent() -> None:
    server = Server()
    with connected(server) as pappus:
        with pytest.raises(ValueError, match="one of the three"):
            pappus.predict_later([b"one"], urls=["https://shop.example/1.jpg"])
        with pytest.raises(ValueError, match="one of the three"):
            pappus.predict_later(image_ids=[BATCH], urls=["https://shop.example/1.jpg"])
    assert server.asked("/predictions") == []
