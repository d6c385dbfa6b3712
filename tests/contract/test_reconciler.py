"""Reconcilers: every wake-up counts, and trouble is seen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from shared.contract.events import Event, TrainingRequested
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.tables.database import Database, notify
from shared.tables.projection import Projection, Transaction, on_event
from shared.tables.reconciler import run_reconciler
from shared.testing import MemoryEventLog, eventually, training_requested

QUICK = RetryPolicy(first_seconds=0.01, longest_seconds=0.01, attempts=None)


@asynccontextmanager
async def reconciling(
    reconcile: Callable[[], Awaitable[Sequence[Event]]],
    event_log: MemoryEventLog,
    database: Database,
    health: Health,
    every_seconds: float = 3600,
) -> AsyncIterator[asyncio.Task[None]]:
    async with event_log.publisher("pappus/jobs") as publisher:
        task = asyncio.create_task(
            run_reconciler(
                reconcile,
                publisher=publisher,
                database=database,
                health=health,
                name="lane",
                every_seconds=every_seconds,
                retry=QUICK,
            )
        )
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def change(database: Database) -> None:
    async with database.transaction() as transaction:
        await notify(transaction, database.schema)


async def test_it_runs_at_the_start_and_after_each_change(database: Database) -> None:
    event_log, health, runs = MemoryEventLog(), Health(), list[int]()

    async def reconcile() -> Sequence[Event]:
        runs.append(1)
        return [training_requested()]

    async with reconciling(reconcile, event_log, database, health):
        await eventually(lambda: len(event_log.events(TrainingRequested)) == 1)
        await change(database)
        await eventually(lambda: len(event_log.events(TrainingRequested)) == 2)
    assert health.ready
    assert len(runs) == 2


async def test_it_runs_at_least_as_often_as_asked_for(database: Database) -> None:
    runs: list[int] = []

    async def reconcile() -> Sequence[Event]:
        runs.append(1)
        return []

    async with reconciling(reconcile, MemoryEventLog(), database, Health(), every_seconds=0.01):
        await eventually(lambda: len(runs) >= 5)


async def test_a_change_that_comes_while_it_runs_makes_it_run_again(database: Database) -> None:
    started, go_on, runs = asyncio.Event(), asyncio.Event(), list[int]()

    async def reconcile() -> Sequence[Event]:
        runs.append(1)
        started.set()
        await go_on.wait()
        return []

    async with reconciling(reconcile, MemoryEventLog(), database, Health()), database.changes() as changes:
        await started.wait()
        await change(database)
        assert await changes.wait(5)
        go_on.set()
        await eventually(lambda: len(runs) == 2)


async def test_a_transient_error_turns_health_red_with_the_reason_until_it_ends(database: Database) -> None:
    event_log, health, broken = MemoryEventLog(), Health(), True

    async def reconcile() -> Sequence[Event]:
        if broken:
            raise TransientError("the store is away")
        return [training_requested()]

    async with reconciling(reconcile, event_log, database, health):
        await eventually(lambda: (state := health.state("lane")) and not state.ok and "store is away" in state.detail)
        broken = False
        await eventually(lambda: health.ready)
        await eventually(lambda: event_log.events(TrainingRequested))


async def test_a_publication_that_failed_is_made_again(database: Database) -> None:
    event_log = MemoryEventLog()
    event_log.fail_next_publish(3)
    event = training_requested()

    async def reconcile() -> Sequence[Event]:
        return [event]

    async with reconciling(reconcile, event_log, database, Health()):
        await eventually(lambda: event_log.events(TrainingRequested) == [event])


async def test_any_other_exception_is_raised(database: Database) -> None:
    async def reconcile() -> Sequence[Event]:
        raise KeyError("a bug")

    async with reconciling(reconcile, MemoryEventLog(), database, Health()) as task:
        with pytest.raises(KeyError, match="a bug"):
            await task


async def test_it_never_sees_tables_older_than_what_it_published(database: Database) -> None:
    """Each run asks for as many trainings as the tables are short of; an overtaking run would ask twice."""
    event_log, health = MemoryEventLog(), Health()
    await database.execute("CREATE TABLE trainings (event_id uuid PRIMARY KEY)")

    async def apply(event: TrainingRequested, transaction: Transaction) -> None:
        await asyncio.sleep(0.05)  # a slow projection
        await transaction.execute("INSERT INTO trainings VALUES ($1) ON CONFLICT DO NOTHING", event.event_id)

    async def reconcile() -> Sequence[Event]:
        known = await database.fetchval("SELECT count(*) FROM trainings")
        return [training_requested()] if known < 3 else []

    projection = asyncio.create_task(
        Projection(event_log, database, [on_event(TrainingRequested, apply)], health).run()
    )
    await eventually(lambda: database.fetchval("SELECT count(*) FROM positions"))
    async with reconciling(reconcile, event_log, database, health, every_seconds=0.005):
        await eventually(lambda: len(event_log.events(TrainingRequested)) == 3)
        await change(database)
        await change(database)
    projection.cancel()
    await asyncio.gather(projection, return_exceptions=True)
    assert len(event_log.events(TrainingRequested)) == 3
