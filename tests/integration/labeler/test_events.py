"""Events after a cursor: each once, in an order that stays."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from services.labeler.data.projection import replay_plan
from services.labeler.queries.events import EventFeed
from shared.contract.events import AppliedCorrection, Event
from shared.tables.replay import replay
from shared.testing import (
    image_registered,
    image_scored,
    image_stored,
    label_corrected,
    model_promoted,
    model_trained,
)

from .conftest import Labeler


async def follow(labeler: Labeler, after: int = 0, **asked: Any) -> tuple[list[dict[str, Any]], int]:
    """Return all events after a cursor, read in pages of two, and the cursor behind them."""
    found: list[dict[str, Any]] = []
    async with labeler.client("anna") as client:
        while True:
            answer = await client.get("/events", params={"after": after, "limit": 2, **asked})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            assert len(page["items"]) <= 2
            found += page["items"]
            after = page["next"]
            if not page["more"]:
                return found, after


def ids(events: list[dict[str, Any]]) -> list[UUID]:
    return [UUID(event["event_id"]) for event in events]


def a_story(image_id: UUID) -> list[Event]:
    """Return what happens to one image, in topics of their own."""
    registered = image_registered(image_id=image_id, file_name="meadow.jpg")
    return [registered, image_stored(image_id=image_id), label_corrected(image_id=image_id, label_to="grass")]


async def test_each_event_is_listed_once_however_often_it_is_published(labeler: Labeler) -> None:
    first, second = a_story(uuid4()), a_story(uuid4())
    await labeler.publish(*first, *first)
    begun, cursor = await follow(labeler)
    await labeler.publish(*second, *first)
    later, end = await follow(labeler, cursor)

    assert sorted(ids(begun)) == sorted(event.event_id for event in first)
    assert sorted(ids(later)) == sorted(event.event_id for event in second)
    assert await follow(labeler) == ([*begun, *later], end)
    assert await follow(labeler, end) == ([], end)


async def test_an_event_has_its_plain_fields_and_no_lists(labeler: Labeler) -> None:
    image_id = uuid4()
    held = AppliedCorrection(image_id=image_id, revision=1)
    await labeler.publish(
        label_corrected(image_id=image_id, label_to="grass", corrected_by="anna"),
        model_trained(version="fast-1", lane="fast", corrections=(held,)),
        image_scored(image_id=image_id),
    )

    found = {event["type"]: event for event in (await follow(labeler))[0]}

    assert found.keys() == {"label.corrected", "model.trained"}
    corrected, trained = found["label.corrected"], found["model.trained"]
    assert (corrected["image_id"], trained["image_id"]) == (str(image_id), None)
    assert (corrected["data"]["label_to"], corrected["data"]["corrected_by"]) == ("grass", "anna")
    assert trained["data"]["version"] == "fast-1"
    assert not {"corrections", "event_id", "image_id", "artefact_key"} & trained["data"].keys()


async def test_events_of_one_image_or_of_some_types_are_listed(labeler: Labeler) -> None:
    image_id = uuid4()
    await labeler.publish(*a_story(image_id), *a_story(uuid4()), model_promoted(sequence=1))

    of_image, _ = await follow(labeler, image=str(image_id))
    of_types, _ = await follow(labeler, type=["label.corrected", "model.promoted"])

    assert {event["image_id"] for event in of_image} == {str(image_id)}
    assert len(of_image) == 3
    assert sorted(event["type"] for event in of_types) == ["label.corrected", "label.corrected", "model.promoted"]


async def test_a_request_that_waits_is_answered_with_the_next_event(labeler: Labeler) -> None:
    await labeler.publish(image_stored())
    _, cursor = await follow(labeler)
    waiting = asyncio.create_task(labeler.get(f"/events?after={cursor}&wait=20&type=label.corrected"))
    await labeler.publish(image_stored())
    assert not waiting.done()
    corrected = label_corrected()
    await labeler.publish(corrected)

    assert ids((await waiting)["items"]) == [corrected.event_id]


async def test_a_cursor_holds_through_a_replay(labeler: Labeler, database_url: str) -> None:
    await labeler.publish(*a_story(uuid4()))
    await labeler.publish(*a_story(uuid4()), model_promoted(sequence=1))
    before, end = await follow(labeler)

    report = await replay(labeler.event_log, database_url, replay_plan())

    assert (report.differing, report.swapped) == ((), True)
    assert await follow(labeler) == (before, end)
    stored = image_stored()
    await labeler.publish(stored)
    assert ids((await follow(labeler, end))[0]) == [stored.event_id]


async def test_events_without_a_number_get_theirs_once(labeler: Labeler) -> None:
    """A replay may read further than the tables in use were: what it read beyond has no number yet."""
    await labeler.publish(*a_story(uuid4()))
    before, end = await follow(labeler)
    beyond = [image_stored() for _ in range(20)]
    await labeler.tables.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await labeler.publish(*beyond)
    await labeler.tables.execute("ALTER TABLE events ENABLE TRIGGER USER")

    feeds = [EventFeed(labeler.tables) for _ in range(4)]  # of four processes
    pages = await asyncio.gather(*(feed.after(end, 100, None, (), 0) for feed in feeds))

    assert {event.event_id for event in pages[0].items} == {event.event_id for event in beyond}
    assert all(page == pages[0] for page in pages)
    assert (await follow(labeler))[0][: len(before)] == before


async def test_a_cursor_and_a_type_that_are_none_are_refused(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        ahead = await client.get("/events", params={"after": 7})
        unknown = await client.get("/events", params={"type": "image.seen"})

    assert (ahead.status_code, ahead.json()["error"]) == (422, "cursor_ahead")
    assert "Begin again with after=0" in ahead.json()["detail"]
    assert (unknown.status_code, unknown.json()["error"]) == (422, "type_unknown")
