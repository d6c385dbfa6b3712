"""Work that one process at a time does, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.tables import single_worker
from shared.tables.database import Connection, Database
from shared.tables.lock_holder import application_name, set_role, try_lock
from shared.tables.single_worker import STANDING_BY, run_in_one_process, turn
from shared.testing import FreshSchema, eventually

NAME = "counting"
SILENCE_SECONDS = 0.6


class Worker:
    """One process that may do the work: how often it began, whether it is at it, its health."""

    def __init__(self) -> None:
        self.health = Health()
        self.began = 0
        self.works = False
        self.failure: Exception | None = None
        self.recovers = asyncio.Event()

    async def work(self) -> None:
        self.began += 1
        self.works = True
        try:
            if self.failure:
                failure, self.failure = self.failure, None
                raise failure
            if self.recovers.is_set():
                self.health.set(NAME, True)
            await asyncio.Event().wait()
        finally:
            self.works = False

    @property
    def stands_by(self) -> bool:
        state = self.health.state(NAME)
        return state is not None and state.ok and state.detail == STANDING_BY


@asynccontextmanager
async def running(worker: Worker, schema: FreshSchema) -> AsyncIterator[asyncio.Task[None]]:
    async with schema.open() as database:
        task = asyncio.create_task(
            run_in_one_process(
                worker.work, database=database, health=worker.health, name=NAME, silence_seconds=SILENCE_SECONDS
            )
        )
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def holding(database: Database, role: str) -> AsyncIterator[Connection]:
    """A connection that holds the lock and does nothing, as that of a stopped process."""
    async with database.connection() as connection:
        await set_role(connection, database.schema, role)
        assert await try_lock(connection, f"{database.schema}.{NAME}")
        yield connection


def works(worker: Worker) -> Callable[[], bool]:
    return lambda: worker.works


async def test_one_works_and_the_next_goes_on_when_it_ends(schema: FreshSchema, database: Database) -> None:
    one, two = Worker(), Worker()
    async with running(two, schema):
        async with running(one, schema):
            await eventually(lambda: one.works != two.works and (one.stands_by or two.stands_by))
            first = one if one.works else two
        if first is two:
            assert two.began == 1
        await eventually(works(two))


async def test_a_silent_holder_is_replaced(schema: FreshSchema, database: Database) -> None:
    one = Worker()
    with pytest.raises(TransientError):  # noqa: PT012 - its connection is gone at the end of the block
        async with holding(database, NAME) as silent, running(one, schema):
            await eventually(works(one))
            await silent.execute("SELECT 1")


async def test_a_holder_that_shows_life_keeps_the_lock(schema: FreshSchema, database: Database) -> None:
    one, two = Worker(), Worker()
    async with running(one, schema):
        await eventually(works(one))
        async with running(two, schema):
            end = await database.fetchval("SELECT clock_timestamp() + interval '3 seconds'")

            async def seen_long_enough() -> bool:
                sql = "SELECT state_change > $1 FROM pg_stat_activity WHERE application_name = $2"
                standby = application_name(schema.name, f"{NAME} standby")
                return bool(await database.fetchval(sql, end, standby))

            await eventually(seen_long_enough)
            assert (one.began, two.began) == (1, 0)


async def test_a_connection_that_shows_no_life_by_design_is_left_alone(schema: FreshSchema, database: Database) -> None:
    one = Worker()
    async with holding(database, "replay") as other, running(one, schema):
        end = await database.fetchval("SELECT clock_timestamp() + interval '2 seconds'")

        async def seen_long_enough() -> bool:
            return bool(await database.fetchval("SELECT clock_timestamp() > $1", end))

        await eventually(seen_long_enough)
        assert one.stands_by
        assert await other.fetchval("SELECT 1") == 1


async def test_a_turn_is_taken_from_a_silent_holder(schema: FreshSchema, database: Database) -> None:
    with pytest.raises(TransientError):
        async with holding(database, NAME) as silent, turn(database, NAME, SILENCE_SECONDS):
            await silent.execute("SELECT 1")
    async with turn(database, NAME, SILENCE_SECONDS):
        assert not await database.fetchval(
            "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", f"{schema.name}.{NAME}"
        )


async def test_work_is_cancelled_when_the_lock_is_lost(schema: FreshSchema, database: Database) -> None:
    one, two = Worker(), Worker()
    async with running(one, schema):
        await eventually(works(one))
        await schema.hang_up()
        await eventually(lambda: one.began == 2)
        async with running(two, schema):
            await eventually(lambda: one.works or two.works)
            assert one.works != two.works


@pytest.mark.parametrize("in_a_group", [False, True])
async def test_a_transient_error_of_the_work_is_tried_again(
    schema: FreshSchema, database: Database, in_a_group: bool
) -> None:
    one, away = Worker(), TransientError("Kafka is away.")
    one.failure = ExceptionGroup("of a task group", [away]) if in_a_group else away
    one.recovers.set()
    async with running(one, schema):
        await eventually(lambda: one.began == 2 and one.works)
        assert one.health.ok


async def test_work_that_failed_stays_red_until_it_says_otherwise(schema: FreshSchema, database: Database) -> None:
    one = Worker()
    one.failure = TransientError("Kafka is away.")
    async with running(one, schema):
        await eventually(lambda: one.began == 2 and one.works)
        state = one.health.state(NAME)
        assert state is not None
        assert (state.ok, state.detail) == (False, "Kafka is away.")


async def test_work_that_keeps_failing_is_tried_ever_less_often(
    schema: FreshSchema, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def delay(_: RetryPolicy, failures: int) -> float:
        asked.append(failures)
        return 0.0

    async def fail() -> None:
        raise TransientError("Kafka is away.")

    monkeypatch.setattr(single_worker, "delay", delay)
    async with schema.open() as opened:
        task = asyncio.create_task(run_in_one_process(fail, database=opened, health=Health(), name=NAME))
        await eventually(lambda: len(asked) >= 4)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert asked[:4] == [1, 2, 3, 4]


@pytest.mark.parametrize("in_a_group", [False, True])
async def test_another_error_of_the_work_ends_it(schema: FreshSchema, database: Database, in_a_group: bool) -> None:
    one, bug = Worker(), ValueError("a bug")
    one.failure = ExceptionGroup("of a task group", [TransientError("Kafka is away."), bug]) if in_a_group else bug
    async with running(one, schema) as task:
        await eventually(task.done)
        assert isinstance(task.exception(), ValueError)
