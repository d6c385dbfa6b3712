"""What goes on: stories of images, the state of all parts, dead letters and what a redrive would do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.labeler.api.live import BEGIN_WITH_A_MODEL
from services.labeler.queries.log_watch import TOPICS_OF, AskGroups, LogWatch, latest_of_replicas
from shared.contract.access import GROUPS
from shared.contract.events import AppliedCorrection, ImageStored
from shared.contract.replicas import ModelLoaded
from shared.messaging.dead_letters import make_dead_letter
from shared.messaging.kafka.groups import GroupState
from shared.runtime.clock import utc_now
from shared.runtime.errors import InvalidMessage, TransientError
from shared.testing import (
    MemoryEventLog,
    image_registered,
    image_rejected,
    image_scored,
    image_stored,
    label_corrected,
    model_loaded,
    model_promoted,
    model_trained,
)
from shared.testing.events import NOON

from .conftest import Labeler


async def test_the_story_of_an_image_says_who_what_and_live_since_when(labeler: Labeler) -> None:
    registered = image_registered(file_name="meadow.jpg", registered_by="anna", occurred_at=NOON)
    image_id = registered.image_id
    held = AppliedCorrection(image_id=image_id, revision=1)
    await labeler.publish(
        registered,
        image_stored(image_id=image_id, occurred_at=NOON + timedelta(seconds=0.3)),
        image_scored(image_id=image_id, probabilities={"dandelion": 0.9, "grass": 0.1}, model_version="v1"),
        model_trained(version="v1"),
        model_promoted(version="v1", sequence=1),
        label_corrected(image_id=image_id, label_to="grass", corrected_by="berta", occurred_at=NOON),
        model_trained(version="fast-1", lane="fast", corrections=(held,)),
        model_promoted(version="fast-1", sequence=2, occurred_at=NOON + timedelta(seconds=0.8)),
    )

    [story] = await labeler.get("/stories")

    assert (story["name"], story["came_from"], story["refused"]) == ("meadow.jpg", "anna", None)
    assert (story["answer"]["label"], story["answer"]["confidence"], story["answer"]["promotion"]) == (
        "dandelion",
        0.9,
        1,
    )
    [decision] = story["decisions"]
    assert (decision["by"], decision["label"]) == ("berta", "grass")
    assert (decision["live_in"], decision["promotion"]) == ("fast-1", 2)
    assert (
        decision["live_at"]
        == model_promoted(occurred_at=NOON + timedelta(seconds=0.8)).model_dump(mode="json")["occurred_at"]
    )


async def test_the_image_that_something_happened_to_last_comes_first(labeler: Labeler) -> None:
    first, second = image_stored(), image_stored()
    refused = image_rejected(detail="It is no picture.")
    await labeler.publish(first)
    await labeler.publish(second)
    await labeler.publish(refused)
    await labeler.publish(label_corrected(image_id=first.image_id))

    told = await labeler.get("/stories")
    newest = await labeler.get("/stories?limit=1")

    assert [UUID(each["image_id"]) for each in told] == [first.image_id, refused.image_id, second.image_id]
    assert told[1]["refused"] == "It is no picture."
    assert newest == told[:1]


async def dead_letter(log: MemoryEventLog, handler: str, reason: str) -> None:
    """Have a message on image.stored that this group could not handle."""
    record = log.append(ImageStored.topic, "a key", b"no event", partition=0)
    async with log.publisher("pappus/jobs") as publisher:
        await publisher.publish_dead_letter(
            make_dead_letter(record, InvalidMessage(reason), handler=handler, attempts=1)
        )


async def test_dead_letters_are_counted_and_a_redrive_is_rehearsed(labeler: Labeler) -> None:
    for reason in ("no picture", "no picture", "no key"):
        await dead_letter(labeler.event_log, "predictor-worker", reason)
    await dead_letter(labeler.event_log, "trainer-gate", "no model")
    ends = await labeler.event_log.end_offsets([ImageStored.topic])

    gate, worker = sorted(await labeler.get("/dead-letters"), key=lambda row: str(row["count"]))
    of_worker = {"topic": worker["topic"], "group": worker["group"]}
    async with labeler.client("olga") as client:
        outcomes = (await client.get("/dead-letters/dry-run", params=of_worker)).json()

    assert (gate["group"], gate["count"]) == ("trainer-gate", 1)
    assert (worker["group"], worker["topic"], worker["count"], worker["redriven"]) == (
        "predictor-worker",
        ImageStored.topic,
        3,
        0,
    )
    assert worker["reasons"] == ["2 x InvalidMessage: no picture", "1 x InvalidMessage: no key"]
    assert [each["outcome"] for each in outcomes] == ["would be redriven"] * 3
    assert await labeler.event_log.end_offsets([ImageStored.topic]) == ends


async def test_the_state_of_the_groups_is_asked_once_for_all(labeler: Labeler) -> None:
    asked: list[Mapping[str, Sequence[str]]] = []

    async def ask(groups: Mapping[str, Sequence[str]]) -> Mapping[str, GroupState]:
        asked.append(groups)
        return {name: GroupState(members=1, waiting=7 if name == "trainer-gate" else 0) for name in groups}

    watch = LogWatch(labeler.event_log, ask)
    first, second = await watch.groups(), await watch.groups()

    assert first == second
    assert {group.name: group.waiting for group in first} == {
        group.name: 7 * (group.name == "trainer-gate") for group in GROUPS
    }
    assert [set(groups) for groups in asked] == [{group.name for group in GROUPS}]


@pytest.mark.parametrize("ask", [None, "away"])
async def test_parts_of_the_api_are_shown_while_kafka_is_away(labeler: Labeler, ask: str | None) -> None:
    async def away(groups: Mapping[str, Sequence[str]]) -> Mapping[str, GroupState]:
        raise TransientError("Kafka is away.")

    asking: AskGroups | None = away if ask else None
    labeler.app.state.service = replace(labeler.app.state.service, log_watch=LogWatch(labeler.event_log, asking))
    found = await labeler.get("/parts")

    assert found["groups"] == []
    assert found["why_unknown"] == ("Kafka is away." if ask else "The groups are not known here.")
    assert {"tables", "publisher"} <= {part["name"] for part in found["parts"]}


async def test_who_answers_about_images_is_idle_until_the_first_model_serves(labeler: Labeler) -> None:
    async def ask(groups: Mapping[str, Sequence[str]]) -> Mapping[str, GroupState]:
        return {name: GroupState(members=0, waiting=3) for name in groups}

    labeler.app.state.service = replace(labeler.app.state.service, log_watch=LogWatch(labeler.event_log, ask))
    before = await labeler.get("/parts")
    await labeler.publish(model_trained(version="v1"), model_promoted(version="v1", sequence=1))
    after = await labeler.get("/parts")

    assert {group["name"] for group in before["groups"] if group["idle"]} == BEGIN_WITH_A_MODEL
    assert [group["name"] for group in after["groups"] if group["idle"]] == []
    assert {"predictor-worker", "predictor-batches"} == BEGIN_WITH_A_MODEL
    assert TOPICS_OF.keys() >= BEGIN_WITH_A_MODEL


async def test_a_log_that_is_away_is_an_answer_that_says_so(labeler: Labeler) -> None:
    labeler.event_log.away = True
    async with labeler.client("anna") as client:
        answer: httpx2.Response = await client.get("/dead-letters")

    assert answer.status_code == 503


def told(replica: str, seconds_ago: float, **changes: Any) -> ModelLoaded:
    """Return what a replica says."""
    at = utc_now() - timedelta(seconds=seconds_ago)
    values = {"version": "fast-1", "sequence": 2, "outcome": "serving", "loaded_at": NOON, **changes}
    return model_loaded(replica=replica, event_id=uuid4(), occurred_at=at, **values)


async def test_each_replica_is_shown_with_what_it_said_last(labeler: Labeler) -> None:
    await labeler.publish(
        told("1", 60, version="full-1", sequence=1),
        told("0", 20, version="full-1", sequence=1),
        told("0", 5),
        told("2", 3, outcome="failed", wanted_version="fast-1", detail="the hash differs", version=None, sequence=None),
        told("gone", 3600),
    )
    shown = (await labeler.get("/parts"))["replicas"]
    assert [(one["name"], one["version"], one["sequence"], one["running"]) for one in shown] == [
        ("0", "fast-1", 2, True),
        ("1", "full-1", 1, False),
        ("2", None, None, True),
    ]
    assert [one["failed"] for one in shown] == ["", "", "fast-1: the hash differs"]
    assert datetime.fromisoformat(shown[0]["loaded_at"]) == NOON


async def test_events_of_replicas_in_any_order_give_the_latest(labeler: Labeler) -> None:
    late, early = told("0", 1, sequence=3), told("0", 9, sequence=2)
    assert latest_of_replicas([late, early, late], utc_now()) == latest_of_replicas([early, late], utc_now())
    assert [one.sequence for one in latest_of_replicas([late, early], utc_now())] == [3]
