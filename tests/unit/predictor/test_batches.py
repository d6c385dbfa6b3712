"""Batches over HTTP: what is accepted is durable, what is wrong is refused before anything is kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from uuid import UUID, uuid4

import httpx2
import pytest

from services.predictor.api.app import build_app
from services.predictor.api.batches import received
from services.predictor.api.batches.examples import BATCH
from services.predictor.api.batches.service import BatchSettings
from services.predictor.api.batches.submission import Submissions
from services.predictor.api.batches.zips import ZipLimits
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.data.batches import Completion
from services.predictor.decisions.batches import callback_secret, object_key_of
from services.predictor.model.holder import ModelHolder
from shared.contract.batches import MOST_IMAGES, URL_LENGTH, PredictionRequested, prediction_id_of
from shared.http.forms import FILE
from shared.messaging.event_log import Publisher
from shared.runtime.health import Health
from shared.tables.lookups import TablesAway
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually
from tests.unit.predictor.example_answer import example_answer
from tests.unit.predictor.example_batches import ExampleBatches
from tests.unit.predictor.promotions import NOON
from tests.unit.predictor.small_model import picture, sha256_of
from tests.unit.predictor.test_zips import archive

MASTER = "the secret of this installation"
FILE_BYTES, BATCH_BYTES = 300_000, 400_000
RED, GREEN = picture(255, 0, 0), picture(0, 255, 0)


class Replica:
    """A replica without a model: batches need none."""

    def __init__(self, event_log: MemoryEventLog, publisher: Publisher) -> None:
        self.event_log = event_log
        self.store = MemoryObjectStore()
        self.tables = ExampleBatches()
        predictions = Predictions(ModelHolder(), PredictionLog(limit=10), "replica-0", Turns(0.25, 2))
        app = build_app(
            predictions,
            Health(needed=set()),
            FILE_BYTES,
            answers=GivenAnswers(example_answer, batches=self.tables),
            submissions=Submissions(self.store, publisher, lambda: NOON),
            of_batches=BatchSettings(ZipLimits(FILE_BYTES, BATCH_BYTES), callback_secret=MASTER),
        )
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://replica")

    @property
    def requested(self) -> list[PredictionRequested]:
        return sorted(self.event_log.events(PredictionRequested), key=lambda event: event.index)

    async def send(self, body: object, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        return await self.client.post("/predictions", json=body, headers=dict(headers or {}))

    async def upload(self, *files: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        parts = [(FILE, (f"{number}.png", data)) for number, data in enumerate(files)]
        return await self.client.post("/predictions", files=parts, headers=dict(headers or {}))


@pytest.fixture
async def replica() -> AsyncIterator[Replica]:
    event_log = MemoryEventLog()
    async with event_log.publisher("pappus/predictor") as publisher:
        made = Replica(event_log, publisher)
        async with made.client:
            yield made


async def test_uploaded_files_are_stored_and_asked_about_before_the_answer(replica: Replica) -> None:
    accepted = await replica.upload(RED, GREEN)
    assert accepted.status_code == 202
    body = accepted.json()
    batch_id = UUID(body["batch_id"])
    assert accepted.headers["location"] == body["links"]["batch"] == f"/batches/{batch_id}"
    assert [UUID(each) for each in body["predictions"]] == [prediction_id_of(batch_id, index) for index in range(2)]
    for event, data in zip(replica.requested, (RED, GREEN), strict=True):
        assert event.object_key == object_key_of(sha256_of(data))
        assert event.sha256 == sha256_of(data)
        assert await replica.store.get(event.object_key) == data
        assert (event.batch_id, event.batch_size, event.requested_by) == (batch_id, 2, "")


@pytest.mark.parametrize("in_a_form", [True, False])
async def test_an_archive_stands_for_its_files(replica: Replica, in_a_form: bool) -> None:
    data = archive({"day/one.png": RED, "two.png": GREEN})
    if in_a_form:
        accepted = await replica.upload(GREEN, data)
    else:
        accepted = await replica.client.post("/predictions", content=data, headers={"Content-Type": "application/zip"})
    assert accepted.status_code == 202
    expected = [GREEN, RED, GREEN] if in_a_form else [RED, GREEN]
    assert [event.sha256 for event in replica.requested] == [sha256_of(each) for each in expected]
    names = ["0.png", "day/one.png", "two.png"] if in_a_form else ["day/one.png", "two.png"]
    assert [event.file_name for event in replica.requested] == names


async def test_a_file_is_shown_with_the_name_it_was_sent_with(replica: Replica) -> None:
    sent = [(FILE, ("meadow/\u202eleaf.png", RED)), (FILE, ("..", GREEN))]
    assert (await replica.client.post("/predictions", files=sent)).status_code == 202
    assert [event.file_name for event in replica.requested] == ["meadow/leaf.png", None]
    named = replace(replica.tables.predictions[0], file_name="meadow/leaf.png")
    replica.tables.predictions[0] = named
    shown = (await replica.client.get(f"/batches/{BATCH}")).json()["predictions"]
    assert [each["file_name"] for each in shown] == ["meadow/leaf.png", None]
    [first, *_] = events_of((await replica.client.get(f"/batches/{BATCH}/events")).text)
    assert first[2]["file_name"] == "meadow/leaf.png"


async def test_an_archive_that_cannot_be_read_is_refused(replica: Replica) -> None:
    refused = await replica.upload(archive({"one.png": RED})[:-5])
    assert (refused.status_code, refused.json()["error"]) == (422, "broken_zip")
    assert await replica.store.keys("") == []


async def test_archives_of_one_request_share_one_limit(replica: Replica) -> None:
    bomb = archive({"bomb": b"\0" * (FILE_BYTES - 1)})
    refused = await replica.upload(bomb, bomb)
    assert (refused.status_code, refused.json()["error"]) == (413, "too_large")
    assert f"{BATCH_BYTES:,} bytes" in refused.json()["detail"]
    assert await replica.store.keys("") == []


async def test_no_more_archives_are_unpacked_than_make_a_batch(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(received, "MOST_IMAGES", 3)
    many = archive({"one.png": RED, "two.png": RED})
    refused = await replica.upload(many, many, b"PK\x03\x04 is no archive")
    assert (refused.status_code, refused.json()["error"]) == (422, "too_many_images")


async def test_stored_images_are_asked_about_by_their_ids(replica: Replica) -> None:
    images = [uuid4() for _ in range(450)]
    accepted = await replica.send({"image_ids": [str(image) for image in images]})
    assert accepted.json()["size"] == len(images)
    assert [event.image_id for event in replica.requested] == images
    assert await replica.store.keys("") == []


async def test_web_addresses_are_asked_about_as_they_are_written(replica: Replica) -> None:
    urls = [f"https://example.org/{number}.jpg?size=2" for number in range(3)]
    assert (await replica.send({"urls": urls})).status_code == 202
    assert [event.url for event in replica.requested] == urls


async def test_the_same_request_with_the_same_key_is_the_same_batch(replica: Replica) -> None:
    key = {"Idempotency-Key": "order-7"}
    first, again, other = [await replica.upload(data, headers=key) for data in (RED, RED, GREEN)]
    assert first.json() == again.json()
    assert other.json()["batch_id"] != first.json()["batch_id"], "never an answer about another image"
    assert len({event.event_id for event in replica.requested}) == 2


async def test_other_names_of_the_same_files_make_no_other_batch(replica: Replica) -> None:
    headers, url = {"Idempotency-Key": "order-9"}, "/predictions"
    first, again = [
        await replica.client.post(url, files={FILE: (name, RED)}, headers=headers) for name in ("a.png", "b.png")
    ]
    assert first.json() == again.json()
    assert len({event.event_id for event in replica.requested}) == 1


async def test_without_a_key_each_request_is_a_batch_of_its_own(replica: Replica) -> None:
    assert (await replica.upload(RED)).json()["batch_id"] != (await replica.upload(RED)).json()["batch_id"]


async def test_without_an_acknowledgement_nothing_is_promised(replica: Replica) -> None:
    replica.event_log.fail_next_publish(although_written=True)
    key = {"Idempotency-Key": "order-8"}
    refused = await replica.upload(RED, headers=key)
    assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
    assert "retry-after" in refused.headers
    assert (await replica.upload(RED, headers=key)).status_code == 202
    assert len({event.prediction_id for event in replica.requested}) == 1


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 422, "no_images"),
        ({"image_ids": []}, 422, "no_images"),
        ({"image_ids": ["seven"]}, 422, "invalid_request"),
        ({"image_ids": [str(uuid4())] * (MOST_IMAGES + 1)}, 422, "invalid_request"),
        ({"images": []}, 422, "invalid_request"),
        ({"urls": ["https://example.org/a.jpg"], "image_ids": [str(uuid4())]}, 422, "several_kinds"),
        ({"urls": ["ftp://example.org/a.jpg"]}, 422, "address_forbidden"),
        ({"urls": ["https://anna:secret@example.org/a.jpg"]}, 422, "address_forbidden"),
        ({"urls": ["https://example.org/" + "a" * URL_LENGTH]}, 422, "invalid_request"),
        ([], 422, "invalid_request"),
    ],
)
async def test_what_names_no_images_is_refused(replica: Replica, body: object, status: int, error: str) -> None:
    refused = await replica.send(body)
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert replica.requested == []


async def test_a_file_and_a_form_that_are_too_large_are_refused(replica: Replica) -> None:
    one = await replica.upload(b"x" * (FILE_BYTES + 1))
    together = await replica.upload(*[b"x" * FILE_BYTES] * 2)
    assert [(each.status_code, each.json()["error"]) for each in (one, together)] == [(413, "too_large")] * 2
    assert await replica.store.keys("") == []


async def test_another_kind_of_body_is_refused(replica: Replica) -> None:
    refused = await replica.client.post("/predictions", content=b"text", headers={"Content-Type": "text/plain"})
    assert (refused.status_code, refused.json()["error"]) == (415, "not_multipart")


async def test_a_batch_shows_its_counts_and_its_predictions_in_pages(replica: Replica) -> None:
    first = (await replica.client.get(f"/batches/{BATCH}?limit=1")).json()
    assert (first["size"], first["answered"], first["refused"], first["finished"]) == (2, 1, 1, True)
    assert [each["state"] for each in first["predictions"]] == ["answered"]
    second = (await replica.client.get(f"/batches/{BATCH}?limit=1&after={first['next']}")).json()
    assert [each["error"] for each in second["predictions"]] == ["unknown_image"]
    assert second["next"] is None


async def test_a_prediction_is_shown_by_its_id_with_its_state(replica: Replica) -> None:
    waiting = replace(replica.tables.predictions[1], completed_at=None, error=None, detail=None)
    replica.tables.predictions[1] = waiting
    answered = (await replica.client.get(f"/predictions/{prediction_id_of(BATCH, 0)}")).json()
    pending = (await replica.client.get(f"/predictions/{prediction_id_of(BATCH, 1)}")).json()
    assert (answered["state"], answered["label"]) == ("answered", "dandelion")
    assert (pending["state"], pending["label"]) == ("pending", None)


@pytest.mark.parametrize("path", ["/batches/{}", "/batches/{}/events", "/predictions/{}"])
async def test_what_is_not_known_is_404_and_without_tables_503(replica: Replica, path: str) -> None:
    assert (await replica.client.get(path.format(uuid4()))).status_code == 404
    replica.tables.away = True
    refused = await replica.client.get(path.format(BATCH if "batches" in path else prediction_id_of(BATCH, 0)))
    assert (refused.status_code, refused.json()["error"]) == (503, "store_unavailable")
    assert "retry-after" in refused.headers
    assert (await replica.upload(RED)).status_code == 202, "to accept a batch needs no table"


async def test_a_callback_is_kept_with_each_request_and_its_key_is_shown(replica: Replica) -> None:
    url = "https://shop.example/hook"
    of_json = await replica.send({"image_ids": [str(uuid4())], "callback_url": url})
    of_form = await replica.client.post("/predictions", files={FILE: ("a.png", RED)}, data={"callback_url": url})
    for accepted in (of_json, of_form):
        assert accepted.json()["callback_secret"] == callback_secret(MASTER, "")
    assert {event.callback_url for event in replica.requested} == {url}
    assert callback_secret(MASTER, "shop") != callback_secret(MASTER, "")


@pytest.mark.parametrize("url", ["http://127.0.0.1/hook", "http://10.0.0.7/", "ftp://shop.example/", "shop", "http://"])
async def test_a_callback_to_a_private_address_is_refused(replica: Replica, url: str) -> None:
    refused = await replica.send({"image_ids": [str(uuid4())], "callback_url": url})
    assert (refused.status_code, refused.json()["error"]) == (422, "address_forbidden")
    assert replica.requested == []


async def test_an_address_of_a_callback_is_as_long_as_described_at_most(replica: Replica) -> None:
    url = "https://shop.example/" + "a" * URL_LENGTH
    of_json = await replica.send({"image_ids": [str(uuid4())], "callback_url": url})
    of_form = await replica.client.post("/predictions", files={FILE: ("a.png", RED)}, data={"callback_url": url})
    assert [(each.status_code, each.json()["error"]) for each in (of_json, of_form)] == [(422, "invalid_request")] * 2
    assert replica.requested == []


def events_of(text: str) -> list[tuple[str, str | None, dict[str, object]]]:
    """Return (event, id, data) of each server-sent event."""
    found = []
    for block in filter(None, text.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
    return found


async def test_a_follower_hears_of_each_prediction_and_of_the_end(replica: Replica) -> None:
    response = await replica.client.get(f"/batches/{BATCH}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    [first, second, end] = events_of(response.text)
    assert [(kind, number, data["state"]) for kind, number, data in (first, second)] == [
        ("prediction", "1", "answered"),
        ("prediction", "2", "refused"),
    ]
    assert end == ("finished", None, {"size": 2, "answered": 1, "refused": 1})


async def test_a_follower_goes_on_where_it_was(replica: Replica) -> None:
    response = await replica.client.get(f"/batches/{BATCH}/events", headers={"Last-Event-ID": "1"})
    assert [number for kind, number, _ in events_of(response.text) if kind == "prediction"] == ["2"]
    refused = await replica.client.get(f"/batches/{BATCH}/events", headers={"Last-Event-ID": "x"})
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request")


async def test_a_follower_waits_for_what_is_not_finished(replica: Replica) -> None:
    whole, waiting = replica.tables.progress, replica.tables.predictions[1]
    replica.tables.progress = replace(whole, refused=0, completed_at=None)
    replica.tables.predictions[1] = replace(waiting, completed_at=None)
    following = asyncio.create_task(replica.client.get(f"/batches/{BATCH}/events"))
    await eventually(lambda: replica.tables.listed > 1)
    replica.tables.progress, replica.tables.predictions[1] = whole, waiting
    assert [kind for kind, _, _ in events_of((await following).text)] == ["prediction", "prediction", "finished"]


async def test_a_follower_waits_for_completions_without_a_number(replica: Replica) -> None:
    replica.tables.unnumbered = 1
    following = asyncio.create_task(replica.client.get(f"/batches/{BATCH}/events"))
    await eventually(lambda: replica.tables.listed > 2)
    replica.tables.unnumbered = 0
    found = [(kind, number) for kind, number, _ in events_of((await following).text)]
    assert found == [("prediction", "1"), ("prediction", "2"), ("finished", None)]


async def test_what_could_not_be_asked_for_is_no_end_of_a_batch(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is told of the end does not come back for the rest."""

    async def away(_batch_id: UUID, _after: int, _limit: int) -> list[Completion]:
        raise TablesAway("closed")

    monkeypatch.setattr(replica.tables, "list_completions", away)
    response = await replica.client.get(f"/batches/{BATCH}/events")
    assert (response.status_code, events_of(response.text)) == (200, [])
