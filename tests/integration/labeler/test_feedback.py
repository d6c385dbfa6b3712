"""An answer of the predictor is corrected by its id: the image is stored, or comes with the request."""

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from structlog.testing import capture_logs

from services.labeler.commands.open_feedback import OpenFeedback
from services.labeler.settings import LabelerSettings
from shared.contract.events import ImageRegistered, LabelCorrected
from shared.contract.votes import LabelVoted
from shared.testing import eventually, image_rejected, image_stored, image_withdrawn, label_corrected

from .conftest import TOPICS, Labeler
from .predictor_in_tests import given, in_batch
from .test_uploads import ingestor as ingestor
from .test_uploads import registered, stored_as

PICTURE = b"a picture that was asked about"
OF_PICTURE = sha256(PICTURE).hexdigest()
FOUR = ("dandelion", "grass", "clover", "moss")


async def say(
    labeler: Labeler,
    prediction_id: UUID,
    said: dict[str, Any],
    *,
    who: str = "anna",
    data: bytes | None = None,
    key: str | None = None,
) -> httpx2.Response:
    """Correct an answer: as a form with the file, or as JSON without one."""
    headers = {"Idempotency-Key": key} if key else {}
    async with labeler.client(who) as client:
        path = f"/predictions/{prediction_id}/correction"
        if data is None:
            return await client.post(path, json=said, headers=headers)
        return await client.post(path, data=said, files={"file": ("photo.jpg", data)}, headers=headers)


async def store_picture(labeler: Labeler, label: str | None = None) -> UUID:
    """Store the picture as the ingestor does."""
    event = image_stored(sha256=OF_PICTURE, label=label, trust="claimed")
    await labeler.publish(event)
    return event.image_id


async def kept(labeler: Labeler) -> int:
    """Return how much of what was said is kept."""
    return int(await labeler.tables.fetchval("SELECT count(*) FROM answer_feedback"))


def corrections(labeler: Labeler) -> list[LabelCorrected]:
    return labeler.event_log.events(LabelCorrected)


async def test_a_stored_image_is_corrected_with_the_answer_that_was_shown(labeler: Labeler) -> None:
    image_id = await store_picture(labeler, "dandelion")
    answer = given(OF_PICTURE)
    done = await say(labeler, labeler.predictor.knows(answer), {"label": "grass", "reason": "No petals."})

    assert done.status_code == 200, done.text
    body = done.json()
    assert (body["state"], body["image_id"], body["label"], body["revision"]) == ("applied", str(image_id), "grass", 1)
    assert "grass" in body["detail"]
    assert (await labeler.get(body["links"]["image"]))["label"] == "grass"
    [event] = corrections(labeler)
    shown = (event.prediction_id, event.shown_label, event.shown_probability)
    assert shown == (answer.prediction_id, "dandelion", 0.75)
    assert (event.shown_model_version, event.reason, event.corrected_by) == ("fast-3", "No petals.", "anna")


async def test_an_image_that_is_not_stored_is_asked_for(labeler: Labeler) -> None:
    prediction_id = labeler.predictor.knows(given(OF_PICTURE))
    needed = await say(labeler, prediction_id, {"label": "grass"})
    assert (needed.status_code, needed.json()["error"]) == (422, "image_needed")
    assert "`file`" in needed.json()["detail"]
    other = await say(labeler, prediction_id, {"label": "grass"}, data=b"another picture")
    assert (other.status_code, other.json()["error"]) == (409, "other_image")
    assert labeler.event_log.events(ImageRegistered) == []
    assert await kept(labeler) == 0


@pytest.mark.usefixtures("ingestor")
async def test_a_new_image_is_stored_and_then_corrected(labeler: Labeler) -> None:
    answer = given(OF_PICTURE)
    done = await say(labeler, labeler.predictor.knows(answer), {"label": "grass"}, data=PICTURE)

    assert done.status_code == 200, done.text
    [upload] = labeler.event_log.events(ImageRegistered)
    assert (upload.label, upload.registered_by, upload.file_name) == (None, "anna", "photo.jpg")
    body = done.json()
    assert (body["image_id"], body["label"], body["revision"]) == (str(upload.image_id), "grass", 1)
    [event] = corrections(labeler)
    assert (event.image_id, event.prediction_id) == (upload.image_id, answer.prediction_id)
    assert await kept(labeler) == 0


@pytest.mark.usefixtures("ingestor")
async def test_a_repeated_key_does_nothing_twice(labeler: Labeler) -> None:
    prediction_id = labeler.predictor.knows(given(OF_PICTURE))
    first = await say(labeler, prediction_id, {"label": "grass"}, data=PICTURE, key="once")
    again = await say(labeler, prediction_id, {"label": "grass"}, data=PICTURE, key="once")
    without_file = await say(labeler, prediction_id, {"label": "grass"}, key="once")
    assert [each.status_code for each in (first, again, without_file)] == [200, 200, 200]
    assert again.json() == without_file.json() == first.json()
    assert (len(labeler.event_log.events(ImageRegistered)), len(corrections(labeler))) == (1, 1)
    other = await say(labeler, prediction_id, {"label": "dandelion"}, key="once")
    assert (other.status_code, other.json()["error"]) == (422, "key_reused")


@pytest.mark.usefixtures("ingestor")
@pytest.mark.parametrize("stored", [True, False])
async def test_wrong_is_the_other_label_of_two(labeler: Labeler, stored: bool) -> None:
    if stored:
        await store_picture(labeler)
    prediction_id = labeler.predictor.knows(given(OF_PICTURE, "grass"))
    done = await say(labeler, prediction_id, {"wrong": True}, data=None if stored else PICTURE)
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["label"]) == ("applied", "dandelion")


class TestWithFourClasses:
    @pytest.fixture
    def settings(self, settings: LabelerSettings) -> LabelerSettings:
        return LabelerSettings.model_validate({**dict(settings), "labels": FOUR})

    @pytest.mark.usefixtures("ingestor")
    @pytest.mark.parametrize("stored", [True, False])
    async def test_wrong_brings_the_image_into_review_without_a_label(self, labeler: Labeler, stored: bool) -> None:
        if stored:
            await store_picture(labeler)
        prediction_id = labeler.predictor.knows(given(OF_PICTURE, "clover", FOUR))
        data = None if stored else PICTURE
        done = await say(labeler, prediction_id, {"wrong": True}, data=data, key="k")
        again = await say(labeler, prediction_id, {"wrong": True}, data=data, key="k")

        assert done.status_code == 200, done.text
        assert again.json() == done.json()
        body = done.json()
        assert (body["state"], body["label"], body["revision"]) == ("in_review", None, 0)
        assert corrections(labeler) == []
        [item] = (await labeler.get(body["links"]["review"], "berta"))["items"]
        assert (item["image_id"], item["label"]) == (body["image_id"], None)
        assert item["reason"] == "The model said clover, and a person says that this is wrong."
        counts = (await labeler.get("/review/queues"))["queues"]
        assert {each["queue"]: each["waiting"] for each in counts}["wrong_answers"] == 1

    async def test_a_decision_ends_the_wait(self, labeler: Labeler) -> None:
        image_id = await store_picture(labeler)
        prediction_id = labeler.predictor.knows(given(OF_PICTURE, "clover", FOUR))
        await say(labeler, prediction_id, {"wrong": True}, key="k")
        assert (await labeler.correct("berta", image_id, "moss", 0)).status_code == 200
        await say(labeler, prediction_id, {"wrong": True}, key="k")  # a late repetition
        assert (await labeler.get("/review?queue=wrong_answers"))["items"] == []

    async def test_another_label_under_the_same_key_is_refused(self, labeler: Labeler) -> None:
        await store_picture(labeler)
        prediction_id = labeler.predictor.knows(given(OF_PICTURE, "clover", FOUR))
        await say(labeler, prediction_id, {"label": "moss"}, key="k")
        refused = await say(labeler, prediction_id, {"label": "grass"}, key="k")
        assert (refused.status_code, refused.json()["error"]) == (422, "key_reused")


@pytest.mark.usefixtures("no_waiting")
async def test_what_a_process_that_died_left_is_done_by_another(labeler: Labeler) -> None:
    answer = given(OF_PICTURE)
    accepted = await say(labeler, labeler.predictor.knows(answer), {"label": "grass"}, data=PICTURE)
    assert (accepted.status_code, accepted.json()["state"]) == (202, "accepted")
    upload = await registered(labeler)
    await labeler.publish(stored_as(upload, PICTURE))
    assert (corrections(labeler), await kept(labeler)) == ([], 1)

    others = [OpenFeedback(labeler.app.state.service.command_bus, TOPICS) for _ in range(2)]
    await others[0].settle()
    assert corrections(labeler) == []  # the request itself may still be at work
    labeler.clock.move(61)

    async def is_done() -> bool:
        for other in others:
            await other.settle()
        return await kept(labeler) == 0

    await eventually(is_done)
    assert {event.event_id for event in corrections(labeler)} == {corrections(labeler)[0].event_id}
    event = corrections(labeler)[0]
    assert (event.image_id, event.label_to, event.prediction_id) == (upload.image_id, "grass", answer.prediction_id)
    assert (await labeler.get(f"/images/{upload.image_id}"))["revision"] == 1


@pytest.mark.usefixtures("no_waiting")
async def test_what_another_person_has_decided_since_stays(labeler: Labeler) -> None:
    await say(labeler, labeler.predictor.knows(given(OF_PICTURE)), {"label": "grass"}, data=PICTURE)
    upload = await registered(labeler)
    await labeler.publish(stored_as(upload, PICTURE))
    decided = label_corrected(image_id=upload.image_id, label_to="dandelion", revision=1, corrected_by="berta")
    await labeler.publish(decided)
    labeler.clock.move(61)
    await OpenFeedback(labeler.app.state.service.command_bus, TOPICS).settle()
    assert [event.event_id for event in corrections(labeler)] == [decided.event_id]
    assert await kept(labeler) == 0


@pytest.mark.usefixtures("no_waiting")
async def test_images_that_never_come_hold_up_no_other(labeler: Labeler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.labeler.commands.open_feedback.AT_ONCE", 1)
    for data in (b"it never comes", PICTURE):
        answer = given(sha256(data).hexdigest())
        await say(labeler, labeler.predictor.knows(answer), {"label": "grass"}, data=data)
        labeler.clock.move(1)
    [upload] = [each for each in labeler.event_log.events(ImageRegistered) if OF_PICTURE in (each.upload_key or "")]
    await labeler.publish(stored_as(upload, PICTURE))
    labeler.clock.move(61)
    other = OpenFeedback(labeler.app.state.service.command_bus, TOPICS)

    async def is_done() -> bool:
        await other.settle()
        return await kept(labeler) == 1

    await eventually(is_done)
    assert {event.image_id for event in corrections(labeler)} == {upload.image_id}


@pytest.mark.usefixtures("no_waiting")
async def test_what_was_said_of_an_image_that_never_comes_is_forgotten(labeler: Labeler) -> None:
    await say(labeler, labeler.predictor.knows(given(OF_PICTURE)), {"label": "grass"}, data=PICTURE)
    other = OpenFeedback(labeler.app.state.service.command_bus, TOPICS)
    labeler.clock.move(3600)
    await other.settle()
    assert await kept(labeler) == 1
    labeler.clock.move(86_400)
    await other.settle()
    assert await kept(labeler) == 0


async def test_an_image_that_is_refused_is_forgotten_with_what_was_said(labeler: Labeler) -> None:
    prediction_id = labeler.predictor.knows(given(OF_PICTURE))

    async def reject() -> None:
        upload = await registered(labeler)
        await labeler.publish(image_rejected(image_id=upload.image_id, reason="too_large", detail="It is too large."))

    rejecting = asyncio.create_task(reject())
    refused = await say(labeler, prediction_id, {"label": "grass"}, data=PICTURE)
    await rejecting
    assert (refused.status_code, refused.json()["error"]) == (422, "too_large")
    assert await kept(labeler) == 0


async def test_what_was_said_of_an_image_goes_with_it(labeler: Labeler) -> None:
    image_id = await store_picture(labeler)
    answer = replace(given(OF_PICTURE, "moss"), prediction_id=uuid4())  # no class any more: it waits in Review
    await say(labeler, labeler.predictor.knows(answer), {"wrong": True})
    assert await kept(labeler) == 1
    await labeler.publish(image_withdrawn(image_id=image_id, sha256=OF_PICTURE))
    await OpenFeedback(labeler.app.state.service.command_bus, TOPICS).settle()
    assert await kept(labeler) == 0
    refused = await say(labeler, answer.prediction_id, {"label": "grass"})
    assert (refused.status_code, refused.json()["error"]) == (410, "image_withdrawn")


@pytest.mark.usefixtures("ingestor")
@pytest.mark.parametrize("stored", [True, False])
async def test_an_answer_of_a_batch_is_corrected_like_any_other(labeler: Labeler, stored: bool) -> None:
    if stored:
        await store_picture(labeler)
    answer = in_batch(OF_PICTURE)
    done = await say(labeler, labeler.predictor.knows(answer), {"label": "grass"}, data=None if stored else PICTURE)
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["label"]) == ("applied", "grass")
    [event] = corrections(labeler)
    assert (event.prediction_id, event.shown_label, event.shown_model_version) == (
        answer.prediction_id,
        "dandelion",
        "fast-3",
    )


@pytest.mark.parametrize(
    ("error", "words"), [(None, "is not answered yet"), ("not_an_image", "refused: This is not an image.")]
)
async def test_what_has_no_answer_in_a_batch_cannot_be_corrected(
    labeler: Labeler, error: str | None, words: str
) -> None:
    asked = in_batch(OF_PICTURE, label=None, error=error)
    refused = await say(labeler, labeler.predictor.knows(asked), {"label": "grass"}, data=PICTURE)
    assert (refused.status_code, refused.json()["error"]) == (409, "not_answered")
    assert words in refused.json()["detail"]
    assert corrections(labeler) == []


async def test_a_predictor_that_is_away_is_503_and_one_that_knows_nothing_404(labeler: Labeler) -> None:
    unknown = await say(labeler, uuid4(), {"label": "grass"})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "prediction_unknown")
    labeler.predictor.away = True
    away = await say(labeler, uuid4(), {"label": "grass"})
    assert (away.status_code, away.json()["error"]) == (503, "unavailable")
    assert int(away.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "send either"),
        ({"label": "grass", "wrong": True}, "send either"),
        ({"wrong": False}, "send either"),
        ({"wrong": "perhaps"}, "wrong"),
        ({"wrong": "true"}, "wrong"),
        ({"wrong": 1}, "wrong"),
        ({"label": "rose"}, "'rose' is not a label"),
    ],
)
async def test_what_says_nothing_or_two_things_is_refused(labeler: Labeler, said: dict[str, Any], words: str) -> None:
    await store_picture(labeler)
    refused = await say(labeler, labeler.predictor.knows(given(OF_PICTURE)), said)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]


async def test_a_body_that_is_no_json_is_refused(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        path = f"/predictions/{uuid4()}/correction"
        refused = await client.post(path, content=b"{", headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["error"]) == (422, "invalid_request")


async def test_each_act_leaves_a_line_in_the_audit_log(labeler: Labeler) -> None:
    await store_picture(labeler)
    prediction_id = labeler.predictor.knows(given(OF_PICTURE))
    with capture_logs() as lines:
        await say(labeler, prediction_id, {"label": "grass"})
        await say(labeler, prediction_id, {"label": "rose"})
    told = [(line["act"], line["who"], line["on"], line["outcome"]) for line in lines if line["event"] == "audit"]
    about = ("correct_answer", "anna", str(prediction_id))
    assert told == [(*about, "applied"), (*about, "unknown_label")]


async def test_who_only_uploads_corrects_no_answer(labeler: Labeler) -> None:
    await labeler.tables.execute("UPDATE users SET role = 'uploader' WHERE name = 'berta'")
    refused = await say(labeler, labeler.predictor.knows(given(OF_PICTURE)), {"label": "grass"}, who="berta")
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")


class TestWithVotes:
    @pytest.fixture
    def settings(self, settings: LabelerSettings) -> LabelerSettings:
        return LabelerSettings.model_validate({**dict(settings), "votes_needed": 2})

    async def test_what_a_labeler_says_is_a_vote(self, labeler: Labeler) -> None:
        await store_picture(labeler)
        answer = given(OF_PICTURE)
        done = await say(labeler, labeler.predictor.knows(answer), {"label": "grass"})
        assert (done.status_code, done.json()["state"], done.json()["revision"]) == (200, "voted", 0)
        [vote] = labeler.event_log.events(LabelVoted)
        assert (vote.label, vote.prediction_id) == ("grass", answer.prediction_id)
