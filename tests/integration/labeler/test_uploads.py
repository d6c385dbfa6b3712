"""Uploads over HTTP, with an ingestor in the test."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from PIL import Image

from services.labeler.settings import LabelerSettings
from shared.contract.events import ImageRegistered, LabelCorrected
from shared.testing import eventually, image_rejected, image_stored

from .conftest import Labeler

Answers = list[dict[str, Any]]


async def upload_image(
    labeler: Labeler, data: bytes, key: str | None = None, label: str | None = None, name: str = "picture.jpg"
) -> httpx2.Response:
    """Upload an image as anna."""
    async with labeler.client("anna") as client:
        return await client.post(
            "/images",
            files={"file": (name, data, "image/jpeg")},
            data={"label": label} if label else {},
            headers={"Idempotency-Key": key} if key else {},
        )


def stored_as(event: ImageRegistered, data: bytes) -> Any:
    """Return the image.stored of a successful ingestor."""
    return image_stored(
        image_id=event.image_id,
        sha256=sha256(data).hexdigest(),
        label=event.label,
        trust=event.trust,
        registered_by=event.registered_by,
        source_url=None,
    )


async def registered(labeler: Labeler, number: int = 1) -> ImageRegistered:
    """Wait for `number` image.registered and return the latest."""
    await eventually(lambda: len(labeler.event_log.events(ImageRegistered)) >= number)
    return max(labeler.event_log.events(ImageRegistered), key=lambda event: event.attempt)


@pytest.fixture
async def ingestor(labeler: Labeler) -> AsyncIterator[None]:
    """Store every registered image whose bytes are under the key of the event."""

    async def work() -> None:
        async with labeler.event_log.group("ingestor", ["image.registered"]) as group:
            seen: set[UUID] = set()
            while True:
                await group.poll(1.0)
                for event in labeler.event_log.events(ImageRegistered):
                    if event.event_id not in seen:
                        seen.add(event.event_id)
                        await labeler.publish(stored_as(event, await labeler.store.get(event.upload_key or "")))

    task = asyncio.create_task(work())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.usefixtures("ingestor")
async def test_an_upload_is_stored_with_the_claimed_label(labeler: Labeler) -> None:
    answer = await upload_image(labeler, b"a picture", label="grass")

    assert answer.status_code == 201
    body = answer.json()
    assert body["state"] == "stored"
    assert body["sha256"] == sha256(b"a picture").hexdigest()
    image = await labeler.get(f"/images/{body['image_id']}")
    assert (image["label"], image["trust"], image["registered_by"], image["source"]) == (
        "grass",
        "claimed",
        "anna",
        "upload",
    )
    [event] = labeler.event_log.events(ImageRegistered)
    assert event.upload_key == f"uploads/{body['sha256'][:2]}/{body['sha256']}"


@pytest.mark.usefixtures("ingestor")
async def test_the_name_of_the_file_is_kept_without_its_folders(labeler: Labeler) -> None:
    answer = await upload_image(labeler, b"a picture", name="../garden/Löwenzahn 1.jpg")

    assert [event.file_name for event in labeler.event_log.events(ImageRegistered)] == ["Löwenzahn 1.jpg"]
    assert (await labeler.get(f"/images/{answer.json()['image_id']}"))["name"] == "Löwenzahn 1.jpg"


@pytest.mark.usefixtures("ingestor")
async def test_the_same_bytes_again_lead_to_the_image_that_holds_them(labeler: Labeler) -> None:
    first = await upload_image(labeler, b"a picture", key="k1")
    again = await upload_image(labeler, b"a picture", key="k2")

    assert (again.status_code, again.json()["image_id"]) == (200, first.json()["image_id"])
    assert again.json()["duplicate_of"] == first.json()["image_id"]
    assert len(labeler.event_log.events(ImageRegistered)) == 1
    [found] = await labeler.get(f"/images?sha256={first.json()['sha256']}")
    assert found["image_id"] == first.json()["image_id"]


async def test_a_label_for_stored_bytes_without_one_is_set_as_a_correction(labeler: Labeler) -> None:
    data = b"a picture"
    stored = image_stored(sha256=sha256(data).hexdigest(), label=None, trust="claimed")
    await labeler.publish(stored)

    answer = await upload_image(labeler, data, label="grass")
    again = await upload_image(labeler, data, label="dandelion")

    for found in (answer, again):
        assert (found.status_code, found.json()["image_id"]) == (200, str(stored.image_id))
        assert (found.json()["label"], found.json()["revision"]) == ("grass", 1)
    [correction] = labeler.event_log.events(LabelCorrected)
    assert (correction.label_to, correction.corrected_by, correction.revision) == ("grass", "anna", 1)


async def test_a_label_for_stored_bytes_that_have_one_changes_nothing(labeler: Labeler) -> None:
    stored = image_stored(sha256=sha256(b"a picture").hexdigest(), label="dandelion", trust="claimed")
    await labeler.publish(stored)

    answer = await upload_image(labeler, b"a picture", label="grass")

    assert (answer.status_code, answer.json()["label"], answer.json()["revision"]) == (200, "dandelion", 0)
    assert labeler.event_log.events(LabelCorrected) == []


async def test_bytes_that_turn_out_to_be_a_duplicate_lead_to_the_other_image(labeler: Labeler) -> None:
    answering = asyncio.ensure_future(upload_image(labeler, b"a picture"))
    event = await registered(labeler)
    other = image_stored(sha256=sha256(b"a picture").hexdigest())
    await labeler.publish(image_rejected(image_id=event.image_id, reason="duplicate", duplicate_of=other.image_id))
    assert not answering.done()  # the other one is not in the tables yet
    await labeler.publish(other)

    answer = await answering

    assert (answer.status_code, answer.json()["image_id"]) == (200, str(other.image_id))
    mine = await labeler.get(f"/images/{event.image_id}")
    assert (mine["state"], mine["duplicate_of"]) == ("rejected", str(other.image_id))


async def test_an_upload_that_cannot_be_used_is_422_with_the_reason(labeler: Labeler) -> None:
    answering = asyncio.ensure_future(upload_image(labeler, b"no picture"))
    event = await registered(labeler)
    await labeler.publish(
        image_rejected(image_id=event.image_id, reason="not_an_image", detail="These bytes are no image.")
    )

    answer = await answering

    assert answer.status_code == 422
    assert (answer.json()["error"], answer.json()["detail"]) == ("not_an_image", "These bytes are no image.")
    assert "image_id" in answer.json()
    again = await upload_image(labeler, b"no picture")
    assert again.json() == answer.json()
    assert len(labeler.event_log.events(ImageRegistered)) == 1


async def test_the_upload_after_a_temporary_rejection_is_the_next_attempt(labeler: Labeler) -> None:
    answering = asyncio.ensure_future(upload_image(labeler, b"a picture", key="k1"))
    event = await registered(labeler)
    await labeler.publish(image_rejected(image_id=event.image_id, reason="upload_missing", detail="No bytes."))
    assert (await answering).status_code == 422

    answering = asyncio.ensure_future(upload_image(labeler, b"a picture", key="k1"))
    second = await registered(labeler, number=2)
    await labeler.publish(stored_as(second, b"a picture"))

    assert (await answering).status_code == 201
    assert (second.image_id, second.attempt) == (event.image_id, 2)


@pytest.mark.usefixtures("no_waiting")
async def test_an_upload_not_stored_in_time_is_202_and_its_retry_has_the_same_id(labeler: Labeler) -> None:
    first = await upload_image(labeler, b"a picture")
    await labeler.publish()  # nothing new: the tables know of it
    again = await upload_image(labeler, b"a picture")

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    [event] = labeler.event_log.events(ImageRegistered)
    assert first.json() == {"event_id": str(event.event_id), "image_id": str(event.image_id)}
    assert (await labeler.get(f"/images/{event.image_id}"))["state"] == "registered"


async def test_without_the_object_store_nothing_is_registered(labeler: Labeler) -> None:
    labeler.store.away = True

    answer = await upload_image(labeler, b"a picture")

    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert labeler.event_log.events(ImageRegistered) == []


async def test_an_upload_without_the_log_is_503_with_retry_after(labeler: Labeler) -> None:
    labeler.event_log.fail_next_publish()

    answer = await upload_image(labeler, b"a picture")

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.usefixtures("ingestor")
async def test_the_label_of_an_upload_is_cleaned(labeler: Labeler, settings: LabelerSettings) -> None:
    settings.__dict__["labels"] = ("dandelion", "L\u00f6wenzahn")
    cleaned = await upload_image(labeler, b"a picture", label=" Lo\u0308wenzahn\n")
    blank = await upload_image(labeler, b"another picture", label="  ")

    assert (cleaned.json()["label"], blank.json()["label"]) == ("L\u00f6wenzahn", None)


async def test_an_upload_without_or_with_two_files_is_refused(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        none = await client.post("/images", files={"other": b"x"})
        two = await client.post("/images", files=[("file", b"x"), ("file", b"y")])
        text = await client.post("/images", content=b"x", headers={"Content-Type": "image/png"})
        boundary = {"Content-Type": f"multipart/form-data; boundary={'B' * 300}"}
        long = await client.post("/images", content=b"x", headers=boundary)

    found = [(answer.status_code, answer.json()["error"]) for answer in (none, two, text, long)]
    assert found == [(422, "file_missing"), (422, "several_fields"), (415, "not_multipart"), (400, "broken_form")]


async def test_an_invalid_upload_is_refused_before_anything_is_stored(labeler: Labeler) -> None:
    empty = await upload_image(labeler, b"")
    label = await upload_image(labeler, b"a picture", label="oak")

    assert (empty.status_code, empty.json()["error"]) == (422, "empty")
    assert (label.status_code, label.json()["error"]) == (422, "unknown_label")
    assert labeler.store.objects == {}


@pytest.mark.parametrize("more", [1, 100_000])
async def test_a_file_above_the_limit_is_413(labeler: Labeler, settings: LabelerSettings, more: int) -> None:
    answer = await upload_image(labeler, bytes(settings.upload_limit_bytes + more))

    assert answer.status_code == 413
    assert answer.json()["error"] == "too_large"
    assert answer.json()["detail"] == "A file may have at most 20,000,000 bytes. Choose a smaller file."
    assert labeler.store.objects == {}


async def test_the_bytes_of_a_stored_image_can_be_seen(labeler: Labeler) -> None:
    stored = image_stored()
    labeler.store.objects[stored.object_key] = b"the bytes"
    await labeler.publish(stored)

    async with labeler.client("anna") as client:
        content = await client.get(f"/images/{stored.image_id}/content")
        missing = await client.get(f"/images/{uuid4()}/content")

    assert (content.content, content.headers["content-type"]) == (b"the bytes", "image/jpeg")
    assert missing.status_code == 404


async def test_a_stored_image_is_shown_upright_and_small(labeler: Labeler) -> None:
    exif, photo = Image.Exif(), BytesIO()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("RGB", (400, 300), "red").save(photo, "JPEG", exif=exif)
    stored = image_stored()
    labeler.store.objects[stored.object_key] = photo.getvalue()
    await labeler.publish(stored)

    async with labeler.client("anna") as client:
        shown = await client.get(f"/images/{stored.image_id}/rendition?w=200")
        etag = shown.headers["ETag"]
        again = await client.get(f"/images/{stored.image_id}/rendition?w=200", headers={"If-None-Match": etag})
        missing = await client.get(f"/images/{uuid4()}/rendition")
        huge = await client.get(f"/images/{stored.image_id}/rendition?w=1601")

    assert Image.open(BytesIO(shown.content)).size == (150, 200)
    assert (shown.headers["content-type"], stored.sha256 in etag) == ("image/jpeg", True)
    assert (again.status_code, again.content) == (304, b"")
    assert (missing.status_code, huge.status_code) == (404, 422)


async def test_bytes_that_cannot_be_shown_say_why(labeler: Labeler) -> None:
    stored = image_stored()
    labeler.store.objects[stored.object_key] = b"no picture"
    await labeler.publish(stored)

    async with labeler.client("anna") as client:
        answer = await client.get(f"/images/{stored.image_id}/rendition")

    assert (answer.status_code, answer.json()["error"]) == (422, "not_an_image")


async def add_address(labeler: Labeler, url: str, **fields: str) -> httpx2.Response:
    """Name the address of an image as anna."""
    async with labeler.client("anna") as client:
        return await client.post("/images", files={"url": (None, url), **{k: (None, v) for k, v in fields.items()}})


async def test_an_image_of_a_web_address_is_fetched_by_the_ingestor(labeler: Labeler) -> None:
    answering = asyncio.ensure_future(add_address(labeler, " https://a.example/one.jpg", label="grass"))
    event = await registered(labeler)
    assert (event.url, event.upload_key, event.label, event.trust) == (
        "https://a.example/one.jpg",
        None,
        "grass",
        "claimed",
    )
    stored = image_stored(image_id=event.image_id, label="grass", trust="claimed", source_url=event.url)
    await labeler.publish(stored)
    answer = await answering
    assert (answer.status_code, answer.json()["image_id"]) == (201, str(event.image_id))

    again = await add_address(labeler, "https://a.example/one.jpg", label="grass")
    assert again.json()["image_id"] == str(event.image_id)
    assert len(labeler.event_log.events(ImageRegistered)) == 1


@pytest.mark.parametrize("field", ["url", "label"])
async def test_text_beyond_its_described_length_is_422_beside_a_file_too(labeler: Labeler, field: str) -> None:
    async with labeler.client("anna") as client:
        answer = await client.post("/images", files={"file": b"bytes"}, data={field: "https://a.example/" + "x" * 2000})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_request")
    assert answer.json()["detail"].startswith(f"body.{field}: ")
    assert labeler.event_log.events(ImageRegistered) == []


async def test_an_address_that_the_ingestor_refuses_is_422(labeler: Labeler) -> None:
    answering = asyncio.ensure_future(add_address(labeler, "http://127.0.0.1/one.jpg"))
    event = await registered(labeler)
    detail = "127.0.0.1 is a loopback address; public addresses are fetched."
    await labeler.publish(image_rejected(image_id=event.image_id, reason="address_forbidden", detail=detail))
    answer = await answering
    assert (answer.status_code, answer.json()["error"], answer.json()["detail"]) == (422, "address_forbidden", detail)


async def test_an_address_with_a_password_is_never_written_down(labeler: Labeler) -> None:
    answer = await add_address(labeler, "https://anna:secret@a.example/one.jpg")
    assert (answer.status_code, answer.json()["error"]) == (422, "address_forbidden")
    assert labeler.event_log.events(ImageRegistered) == []
