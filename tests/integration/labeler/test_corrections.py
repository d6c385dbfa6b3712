"""A person corrects a label over HTTP: one outcome in every case."""

import asyncio
from uuid import uuid4

import pytest

from services.labeler.settings import LabelerSettings
from shared.contract.events import LabelCorrected
from shared.testing import eventually, image_rejected, image_stored, label_corrected

from .conftest import Labeler


async def test_a_correction_returns_its_revision_and_the_label_is_reviewed(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion", trust="claimed")
    await labeler.publish(stored)

    answer = await labeler.correct("anna", stored.image_id, "grass", 0)

    assert answer.status_code == 200
    assert answer.json() | {"event_id": ""} == {
        "image_id": str(stored.image_id),
        "label": "grass",
        "revision": 1,
        "event_id": "",
        "state": "applied",
        "no_label": None,
        "conflicts": [],
    }
    image = await labeler.get(f"/images/{stored.image_id}")
    assert (image["label"], image["revision"], image["trust"]) == ("grass", 1, "reviewed")
    [event] = labeler.event_log.events(LabelCorrected)
    assert (event.label_from, event.label_to, event.corrected_by) == ("dandelion", "grass", "anna")


async def test_a_stale_revision_is_409_at_once_and_publishes_nothing(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)

    late = await labeler.correct("berta", stored.image_id, "dandelion", 0)

    assert late.status_code == 409
    facts = {"error": "superseded", "label": "grass", "revision": 1, "corrected_by": "anna"}
    assert facts.items() <= late.json().items()
    assert "anna was first" in late.json()["detail"]
    assert len(labeler.event_log.events(LabelCorrected)) == 1


async def test_of_concurrent_corrections_of_one_image_exactly_one_succeeds(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    requests = [("anna", "grass"), ("berta", "dandelion")] * 3

    answers = await asyncio.gather(*(labeler.correct(who, stored.image_id, label, 0) for who, label in requests))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert all(a.json()["label"] == won["label"] for a in answers if a.status_code == 409)
    assert (await labeler.get(f"/images/{stored.image_id}"))["label"] == won["label"]


async def test_a_repeated_key_returns_the_same_outcome_and_publishes_once(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)

    first = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")
    again = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")
    reread = await labeler.correct("anna", stored.image_id, "grass", 1, key="k1")

    assert first.json() == again.json() == reread.json()
    assert len(labeler.event_log.events(LabelCorrected)) == 1


async def test_a_key_used_for_another_label_is_refused(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")

    answer = await labeler.correct("anna", stored.image_id, "dandelion", 1, key="k1")

    assert (answer.status_code, answer.json()["error"]) == (422, "key_reused")


async def test_two_people_may_use_the_same_key(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")

    answer = await labeler.correct("berta", stored.image_id, "dandelion", 1, key="k1")

    assert (answer.status_code, answer.json()["revision"]) == (200, 2)


async def test_a_retry_after_503_with_its_key_counts_once(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    labeler.event_log.fail_next_publish(although_written=True)

    away = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")
    again = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")

    assert away.status_code == 503
    assert int(away.headers["Retry-After"]) > 0
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    history = await labeler.get(f"/images/{stored.image_id}/history")
    assert [entry["revision"] for entry in history] == [0, 1]


async def test_a_correction_that_was_never_sent_can_be_sent_again(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    labeler.event_log.fail_next_publish()

    away = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")
    assert labeler.event_log.events(LabelCorrected) == []
    again = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")

    assert (away.status_code, again.status_code) == (503, 200)


@pytest.mark.usefixtures("no_waiting")
async def test_a_correction_not_projected_in_time_is_202_with_its_event_id(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    async with labeler.tables.transaction() as transaction:
        await transaction.execute("LOCK TABLE label_history IN SHARE MODE")  # the projection cannot write
        answer = await labeler.correct("anna", stored.image_id, "grass", 0, key="k1")

    assert answer.status_code == 202
    [event] = labeler.event_log.events(LabelCorrected)
    assert answer.json()["event_id"] == str(event.event_id)


async def test_a_published_correction_that_lost_the_race_is_409(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    async with labeler.tables.transaction() as transaction:
        await transaction.execute("LOCK TABLE label_history IN SHARE MODE")
        first = asyncio.ensure_future(labeler.correct("anna", stored.image_id, "grass", 0))
        second = asyncio.ensure_future(labeler.correct("berta", stored.image_id, "dandelion", 0))
        await eventually(lambda: len(labeler.event_log.events(LabelCorrected)) == 2)
    answers = await asyncio.gather(first, second)

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    history = await labeler.get(f"/images/{stored.image_id}/history")
    assert [(entry["revision"], entry["state"]) for entry in history] == [
        (0, "applied"),
        (1, "applied"),
        (1, "superseded"),
    ]


async def test_an_impossible_correction_is_refused_before_anything_is_published(labeler: Labeler) -> None:
    original, copy = image_stored(), uuid4()
    await labeler.publish(original, image_rejected(image_id=copy, reason="duplicate", duplicate_of=original.image_id))

    unknown = await labeler.correct("anna", uuid4(), "grass", 0)
    label = await labeler.correct("anna", original.image_id, "oak", 0)
    duplicate = await labeler.correct("anna", copy, "grass", 0)

    assert (unknown.status_code, unknown.json()["error"]) == (404, "image_unknown")
    assert (label.status_code, label.json()["error"]) == (422, "unknown_label")
    assert (duplicate.status_code, duplicate.json()["duplicate_of"]) == (409, str(original.image_id))
    assert labeler.event_log.events(LabelCorrected) == []


async def test_an_undo_is_another_correction_and_the_history_keeps_all(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion")
    await labeler.publish(stored)

    await labeler.correct("anna", stored.image_id, "grass", 0)
    await labeler.correct("anna", stored.image_id, "dandelion", 1)

    history = await labeler.get(f"/images/{stored.image_id}/history")
    assert [(entry["label_from"], entry["label_to"]) for entry in history] == [
        (None, "dandelion"),
        ("dandelion", "grass"),
        ("grass", "dandelion"),
    ]


async def test_a_correction_from_elsewhere_is_shown_like_any_other(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored, label_corrected(image_id=stored.image_id, label_to="grass", revision=1))

    assert (await labeler.get(f"/images/{stored.image_id}"))["corrected_by"] == "berta"


async def test_a_label_is_the_same_in_every_form_of_unicode(labeler: Labeler, settings: LabelerSettings) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    settings.__dict__["labels"] = ("dandelion", "L\u00f6wenzahn")

    answer = await labeler.correct("anna", stored.image_id, " Lo\u0308wenzahn ", 0)

    assert (answer.status_code, answer.json()["label"]) == (200, "L\u00f6wenzahn")
