"""An operator takes an image back: it is gone for people at once, and the models that saw it are named."""

import asyncio
import hashlib
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.labeler.commands import withdrawals
from services.labeler.commands.uploads import upload_key
from services.labeler.queries import images
from shared.clients.answers import ImageView
from shared.contract.events import AppliedCorrection, ImageRegistered, ImageStored, ImageWithdrawn
from shared.tables.database import Database
from shared.testing import (
    eventually,
    image_rejected,
    image_scored,
    image_stored,
    image_withdrawn,
    label_corrected,
    model_promoted,
    model_trained,
)

from .conftest import Labeler

REASON = "The owner asks for it."


async def withdraw(labeler: Labeler, image_id: UUID, who: str = "olga", reason: str = REASON) -> httpx2.Response:
    async with labeler.client(who) as client:
        return await client.post(f"/images/{image_id}/withdraw", json={"reason": reason})


async def stored_image(labeler: Labeler, **changes: Any) -> ImageStored:
    image = image_stored(**changes)
    await labeler.store.put(upload_key(image.sha256), b"bytes")
    await labeler.publish(image)
    return image


async def full_model(labeler: Labeler, version: str, *images: UUID, **changes: Any) -> None:
    """Publish a full model whose manifest holds these images."""
    key = f"manifests/{version}.json"
    await labeler.store.put(key, " ".join(str(each) for each in images).encode())
    await labeler.publish(model_trained(version=version, lane="full", manifest_key=key, **changes))


async def test_it_leaves_queue_and_pages_and_its_upload_is_deleted(labeler: Labeler) -> None:
    image = await stored_image(labeler, trust="claimed")
    await labeler.publish(image_scored(image_id=image.image_id))
    assert (await labeler.get("/review"))["waiting"] == 1

    answer = await withdraw(labeler, image.image_id)

    assert answer.status_code == 200, answer.text
    assert answer.json().items() >= {"state": "withdrawn", "withdrawn_by": "olga", "reason": REASON}.items()
    assert (await labeler.get("/review")).items() >= {"items": [], "waiting": 0}.items()
    view = await labeler.get(f"/images/{image.image_id}")
    assert (view["state"], view["prediction"], view["withdrawal"]["reason"]) == ("withdrawn", None, REASON)
    assert await eventually(lambda: upload_key(image.sha256) not in labeler.store.objects)
    async with labeler.client("anna") as client:
        for what in ("content", "rendition"):
            gone = await client.get(f"/images/{image.image_id}/{what}")
            assert (gone.status_code, gone.json()["error"]) == (410, "image_withdrawn")
    corrected = await labeler.correct("anna", image.image_id, "grass", 0)
    assert (corrected.status_code, corrected.json()["error"]) == (410, "image_withdrawn")
    assert REASON in corrected.json()["detail"]


async def test_an_answer_that_is_logged_later_is_not_kept(labeler: Labeler) -> None:
    image = await stored_image(labeler)
    await withdraw(labeler, image.image_id)
    await labeler.publish(image_scored(image_id=image.image_id), label_corrected(image_id=image.image_id))
    view = await labeler.get(f"/images/{image.image_id}")
    assert (view["state"], view["prediction"]) == ("withdrawn", None)
    assert await labeler.tables.fetchval("SELECT count(*) FROM predictions") == 0


async def test_a_second_time_answers_the_first_and_publishes_nothing(labeler: Labeler) -> None:
    image = await stored_image(labeler)
    answers = await asyncio.gather(*(withdraw(labeler, image.image_id) for _ in range(3)))
    again = await withdraw(labeler, image.image_id, reason="Another reason.")

    assert {each.status_code for each in answers} == {200}
    assert again.json() == answers[0].json()
    assert len({event.event_id for event in labeler.event_log.events(ImageWithdrawn)}) == 1


async def test_one_that_is_taken_back_while_it_is_looked_up_is_answered(
    labeler: Labeler, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await stored_image(labeler)

    async def image_after_another_request(database: Database, image_id: UUID) -> ImageView | None:
        await labeler.publish(image_withdrawn(image_id=image_id, sha256=stored.sha256, withdrawn_by="oskar"))
        return await images.image(database, image_id)

    monkeypatch.setattr(withdrawals, "images", SimpleNamespace(image=image_after_another_request))
    answer = await withdraw(labeler, stored.image_id)

    assert (answer.status_code, answer.json()["withdrawn_by"]) == (200, "oskar"), answer.text


async def test_the_models_that_saw_it_are_named(labeler: Labeler) -> None:
    image, other = await stored_image(labeler), uuid4()
    held = (AppliedCorrection(image_id=image.image_id, revision=1),)
    await full_model(labeler, "full-1", image.image_id, other)
    await full_model(labeler, "full-2", other)
    await labeler.publish(
        model_trained(version="full-3", lane="full", manifest_key="manifests/lost.json"),
        model_trained(version="fast-1", lane="fast", parent="full-1", corrections=held),
        model_trained(version="fast-2", lane="fast", parent="fast-1"),
        model_promoted(version="fast-2", sequence=1),
    )

    answer = (await withdraw(labeler, image.image_id)).json()

    assert (sorted(answer["seen_by"]), answer["held_by"]) == (["full-1", "full-3"], ["fast-1"])
    assert answer["serving"] == "fast-2"  # it stands on full-1
    story = await labeler.get(f"/images/{image.image_id}/story")
    assert story["withdrawal"] == answer
    await labeler.publish(model_promoted(version="full-2", sequence=2))
    assert (await labeler.get(f"/images/{image.image_id}/story"))["withdrawal"]["serving"] is None


async def test_a_model_in_the_making_is_named_once_it_is_trained(labeler: Labeler) -> None:
    image = await stored_image(labeler)
    await withdraw(labeler, image.image_id)
    before, after = (labeler.clock() + timedelta(seconds=seconds) for seconds in (-60, 60))
    await full_model(labeler, "full-1", occurred_at=after, manifest_cut_at=before)
    await full_model(labeler, "full-2", occurred_at=after, manifest_cut_at=after)
    story = await labeler.get(f"/images/{image.image_id}/story")
    assert story["withdrawal"]["seen_by"] == ["full-1"]


async def test_the_same_bytes_are_refused_with_the_reason(labeler: Labeler) -> None:
    data = b"the bytes of an image"
    image = await stored_image(labeler, sha256=hashlib.sha256(data).hexdigest())
    await withdraw(labeler, image.image_id)
    await eventually(lambda: upload_key(image.sha256) not in labeler.store.objects)
    async with labeler.client("anna") as client:
        refused = await client.post("/images", files={"file": ("picture.jpg", data, "image/jpeg")})
    assert (refused.status_code, refused.json()["error"]) == (410, "image_withdrawn")
    assert REASON in refused.json()["detail"]
    assert labeler.event_log.events(ImageRegistered) == []
    assert upload_key(image.sha256) not in labeler.store.objects


async def test_a_labeler_withdraws_nothing(labeler: Labeler) -> None:
    image = await stored_image(labeler)
    refused = await withdraw(labeler, image.image_id, who="berta")
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    assert labeler.event_log.events(ImageWithdrawn) == []


async def test_what_is_not_stored_is_not_withdrawn(labeler: Labeler) -> None:
    image = await stored_image(labeler)
    copy = image_rejected(reason="duplicate", duplicate_of=image.image_id)
    await labeler.publish(copy)
    answers = [await withdraw(labeler, each) for each in (uuid4(), copy.image_id)]
    assert [(each.status_code, each.json()["error"]) for each in answers] == [
        (404, "image_unknown"),
        (409, "image_not_stored"),
    ]
    assert str(image.image_id) in answers[1].json()["detail"]


async def test_what_a_person_said_about_it_does_not_hold_any_more(labeler: Labeler) -> None:
    image = await stored_image(labeler)
    await labeler.correct("anna", image.image_id, "grass", 0)
    assert (await labeler.get("/decisions?by=anna"))["holding"] == 1
    await withdraw(labeler, image.image_id)
    found = await labeler.get("/decisions?by=anna")
    assert (found["holding"], found["corrections"]) == (0, 1)
