"""Projectors that take all events of a batch at once, on a real PostgreSQL."""

from collections.abc import Sequence

import pytest

from shared.contract.events import ImageRegistered
from shared.tables.database import Database
from shared.tables.projection import Transaction, on_events, wait_until_caught_up
from shared.testing import MemoryEventLog, image_registered
from tests.contract.test_projection import apply_image_registered, images, projecting, publish


async def test_events_are_applied_together_and_alone_if_one_is_invalid(database: Database) -> None:
    event_log, calls = MemoryEventLog(), list[int]()

    async def apply(events: Sequence[ImageRegistered], transaction: Transaction) -> None:
        calls.append(len(events))
        for event in events:
            await apply_image_registered(event, transaction)

    good = [image_registered() for _ in range(8)]
    await publish(event_log, *good[:4])
    async with projecting(event_log, database, projectors=[on_events(ImageRegistered, apply)]):
        await wait_until_caught_up(event_log, database, [ImageRegistered.topic], 20)
        assert (sum(calls), len(calls) < 4) == (4, True)
    await publish(event_log, *good[4:6], image_registered(registered_by="unknown"), *good[6:])
    async with projecting(event_log, database, projectors=[on_events(ImageRegistered, apply)]):
        await wait_until_caught_up(event_log, database, [ImageRegistered.topic], 20)
    assert set(await images(database)) == {event.image_id for event in good}
    assert {row["attempts"] for row in (await images(database)).values()} == {1}
    assert [letter.detail for letter in event_log.dead_letters(ImageRegistered.topic)] == ["the registrar is unknown"]


async def test_a_bug_in_events_applied_together_says_where_the_first_is(database: Database) -> None:
    async def apply(events: Sequence[ImageRegistered], transaction: Transaction) -> None:
        raise KeyError("a bug")

    event_log = MemoryEventLog()
    await publish(event_log, image_registered(), image_registered())
    async with projecting(event_log, database, projectors=[on_events(ImageRegistered, apply)]) as task:
        with pytest.raises(KeyError, match="a bug") as raised:
            await task
    assert "image.registered" in raised.value.__notes__[0]
