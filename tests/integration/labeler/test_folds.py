"""A poll of events is folded together: all of it or nothing, each event once, and a bad one alone is left out."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.labeler.data.projection import PROJECTORS
from services.labeler.settings import SCHEMA
from shared.contract.events import Event, ImageStored, LabelCorrected
from shared.messaging.event_log import Record
from shared.runtime.errors import InvalidMessage
from shared.tables.database import Connection, Database
from shared.tables.projection import ProjectionBatch, Projector, Transaction
from shared.tables.replay import canonical_dump
from shared.testing import MemoryEventLog

from .test_tables import a_history, interleaved

TOGETHER = [projector.event for projector in PROJECTORS if projector.apply_together is not None]


class Killed(BaseException):
    """The process ends here."""


def killed_in(topic: str) -> list[Projector]:
    """Return the projectors, of which one ends the process once it has written the events of this topic."""

    def broken(projector: Projector) -> Projector:
        async def apply_together(events: Sequence[Any], transaction: Transaction) -> None:
            assert projector.apply_together is not None
            await projector.apply_together(events, transaction)
            raise Killed

        return replace(projector, apply_together=apply_together)

    return [broken(each) if each.event.topic == topic else each for each in PROJECTORS]


async def published(event_log: MemoryEventLog, events: Sequence[Event]) -> list[Record]:
    """Return the records of these events, in an order that a poll could give."""
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)
    return [record for projector in PROJECTORS for record in event_log.records(projector.event.topic)]


async def fold(connection: Connection, records: Sequence[Record], projectors: Sequence[Projector]) -> None:
    await ProjectionBatch(SCHEMA, projectors, publisher=None).batch(connection, records)


async def tables_after(tables: Database, records: Sequence[Record]) -> dict[str, str]:
    """Return the tables after these records were folded one by one, and empty them again."""
    async with tables.connection() as connection:
        for record in records:
            await fold(connection, [record], PROJECTORS)
        found = await canonical_dump(tables, without=["positions"])
        for table in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA):
            if table["tablename"] != "migrations":
                await connection.execute(f"TRUNCATE {table['tablename']}")
    return found


async def test_a_process_killed_within_a_poll_folds_it_anew_and_once(tables: Database) -> None:
    event_log = MemoryEventLog()
    records = await published(event_log, interleaved(a_history(), 3))
    expected = await tables_after(tables, records)
    untouched = await canonical_dump(tables)

    async with tables.connection() as connection:
        for event in TOGETHER:
            with pytest.raises(Killed):
                await fold(connection, records, killed_in(event.topic))
            assert await canonical_dump(tables) == untouched, event.topic
        for _ in range(2):  # the second time is that of another process, which had read the same
            await fold(connection, records, PROJECTORS)
            assert await canonical_dump(tables, without=["positions"]) == expected


async def test_an_event_that_cannot_be_folded_is_left_out_alone(tables: Database) -> None:
    event_log = MemoryEventLog()
    records = await published(event_log, a_history())
    bad = random.Random(5).choice([record for record in records if record.topic == ImageStored.topic])
    left = [record for record in records if record is not bad]
    expected = await tables_after(tables, left)

    def refusing(projector: Projector) -> Projector:
        async def apply_together(events: Sequence[Any], transaction: Transaction) -> None:
            assert projector.apply_together is not None
            await projector.apply_together(events, transaction)
            if any(str(event.image_id) == bad.key for event in events):
                raise InvalidMessage("It cannot be folded.")

        async def apply(event: Any, transaction: Transaction) -> None:
            await apply_together([event], transaction)

        return replace(projector, apply=apply, apply_together=apply_together)

    projectors = [refusing(each) if each.event is ImageStored else each for each in PROJECTORS]
    unreadable = event_log.append(LabelCorrected.topic, "no key", b"no event")
    async with event_log.publisher("pappus/labeler") as publisher, tables.connection() as connection:
        batch = ProjectionBatch(SCHEMA, projectors, publisher)
        await batch.batch(connection, [*records[:9], unreadable, *records[9:]])

    assert batch.skipped == 2
    assert await canonical_dump(tables, without=["positions"]) == expected
    assert [letter.detail for letter in event_log.dead_letters(ImageStored.topic)] == ["It cannot be folded."]
    assert len(event_log.dead_letters(LabelCorrected.topic)) == 1
