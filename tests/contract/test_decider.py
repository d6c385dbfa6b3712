"""Deciders: however many race for a number, each case gets one answer that counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from shared.contract.events import Event, LabelCorrected, uuid_of
from shared.messaging.event_log import Publisher
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.decider import run_decider
from shared.tables.projection import Projection, Transaction, on_event, wait_until_caught_up, wait_until_projected
from shared.testing import MemoryEventLog, label_corrected

IMAGE = uuid4()


async def apply_label_corrected(event: LabelCorrected, transaction: Transaction) -> None:
    last = await transaction.fetchval("SELECT count(*) FROM inputs")
    if event.revision == last + 1:
        await transaction.execute("INSERT INTO inputs (line) VALUES ($1)", event.corrected_by)


@dataclass
class Turn:
    """A case: this person's turn gets a number, the last one plus one."""

    database: Database
    person: str
    asked: int = 0

    async def read_state(self) -> int:
        return int(await self.database.fetchval("SELECT count(*) FROM inputs"))

    async def find_outcome(self) -> int | None:
        self.asked += 1
        sql = "SELECT count(*) FROM inputs WHERE id <= (SELECT id FROM inputs WHERE line = $1)"
        return await self.database.fetchval(sql, self.person) or None

    async def decide(self, state: int) -> Event:
        return turn(self.person, state + 1)


def turn(person: str, number: int) -> LabelCorrected:
    event_id: UUID = uuid_of(person, number)
    return label_corrected(image_id=IMAGE, revision=number, corrected_by=person, event_id=event_id)


@asynccontextmanager
async def projecting(event_log: MemoryEventLog, database: Database) -> AsyncIterator[Publisher]:
    projectors = [on_event(LabelCorrected, apply_label_corrected)]
    task = asyncio.create_task(Projection(event_log, database, projectors, Health()).run())
    try:
        async with event_log.publisher("pappus/jobs") as publisher:
            await wait_until_caught_up(event_log, database, [LabelCorrected.topic], 20)
            yield publisher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def decide(case: Turn, publisher: Publisher, most_decisions: int = 5) -> int:
    return await run_decider(
        case, publisher=publisher, database=case.database, projected_seconds=20, most_decisions=most_decisions
    )


async def test_of_many_that_race_each_gets_one_answer_that_counts(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database) as publisher:
        cases = [Turn(database, f"person {number}") for number in range(6)]
        numbers = await asyncio.gather(*(decide(case, publisher, most_decisions=20) for case in cases))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert await database.fetchval("SELECT count(*) FROM inputs") == 6


async def test_a_case_that_has_its_answer_publishes_nothing(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database) as publisher:
        assert [await decide(Turn(database, "anna"), publisher) for _ in range(3)] == [1, 1, 1]
    assert len(event_log.events(LabelCorrected)) == 1


@dataclass
class Overtaken(Turn):
    """A case for which another event takes the number between state and outcome."""

    publisher: Publisher | None = None

    async def find_outcome(self) -> int | None:
        if self.publisher is not None:
            publisher, self.publisher = self.publisher, None
            await wait_until_projected(self.database, await publisher.publish([turn("berta", 1)]), 20)
        return await super().find_outcome()


async def test_a_decision_that_was_overtaken_is_made_again(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database) as publisher:
        assert await decide(Overtaken(database, "anna", publisher=publisher), publisher) == 2
    numbers = [(event.corrected_by, event.revision) for event in event_log.events(LabelCorrected)]
    assert numbers == [("berta", 1), ("anna", 1), ("anna", 2)]


@dataclass
class Hopeless(Turn):
    """A case whose decisions never count."""

    async def decide(self, state: int) -> Event:
        return turn(self.person, state + 7 + self.asked)


async def test_after_the_last_decision_it_gives_up(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database) as publisher:
        with pytest.raises(TransientError, match="After 3 decisions none counts"):
            await decide(Hopeless(database, "anna"), publisher, most_decisions=3)
    assert len(event_log.events(LabelCorrected)) == 3


async def test_the_answer_of_the_last_decision_is_still_seen(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database) as publisher:
        assert await decide(Turn(database, "anna"), publisher, most_decisions=1) == 1


async def test_a_decision_that_was_written_unseen_is_found_again(database: Database) -> None:
    event_log = MemoryEventLog()
    async with projecting(event_log, database) as publisher:
        event_log.fail_next_publish(although_written=True)
        with pytest.raises(TransientError):
            await decide(Turn(database, "anna"), publisher)
        assert await decide(Turn(database, "anna"), publisher) == 1
    assert {event.event_id for event in event_log.events(LabelCorrected)} == {uuid_of("anna", 1)}
