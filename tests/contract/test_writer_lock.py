"""One process writes the tables; when it ends, hangs or is only the reserve, another one takes over, exactly once."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import pytest

from shared.contract.events import Event, ImageRegistered
from shared.messaging.event_log import TopicPartition
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.tables.database import Connection, Database
from shared.tables.lock_holder import application_name, try_lock
from shared.tables.projection import Projection, Transaction, on_event, wait_until_caught_up
from shared.tables.replay import ReplayPlan, replay
from shared.tables.writer_lock import WRITER
from shared.testing import FreshSchema, MemoryEventLog, eventually, image_registered

TOPICS = (ImageRegistered.topic,)
SILENCE_SECONDS = 0.6
NEVER = 3600.0


class AskedLog(MemoryEventLog):
    """Counts how often the end offsets were asked for: by a process that sees a silent writer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        self.asked += 1
        return await super().end_offsets(topics)


class Process:
    """One process with the projection: who wrote what, and where it hangs."""

    def __init__(self, name: str, written: list[tuple[str, UUID]]) -> None:
        self.name = name
        self.health = Health()
        self.works = asyncio.Event()
        self.works.set()
        self.hangs = asyncio.Event()
        self._written = written

    async def apply(self, event: ImageRegistered, transaction: Transaction) -> None:
        await transaction.execute(
            """INSERT INTO images (image_id, attempts) VALUES ($1, 1)
               ON CONFLICT (image_id) DO UPDATE SET attempts = images.attempts + 1""",
            event.image_id,
        )
        if not self.works.is_set():
            self.hangs.set()
            await self.works.wait()
        self._written.append((self.name, event.image_id))

    def detail(self, schema: str) -> str:
        state = self.health.state(f"projection {schema}")
        return state.detail if state else ""


@asynccontextmanager
async def running(
    process: Process,
    event_log: MemoryEventLog,
    schema: FreshSchema,
    silence_seconds: float = SILENCE_SECONDS,
    reserve: bool = False,
) -> AsyncIterator[Process]:
    """Yield the process with a database of its own, until the end of the block."""
    async with schema.open() as database:
        projection = Projection(
            event_log,
            database,
            [on_event(ImageRegistered, process.apply)],
            process.health,
            silence_seconds=silence_seconds,
            reserve=reserve,
        )
        task = asyncio.create_task(projection.run())
        try:
            yield process
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def publish(event_log: MemoryEventLog, count: int = 1) -> list[Event]:
    events: list[Event] = [image_registered() for _ in range(count)]
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)
    return events


async def standing_by(database: Database, role: str = "standby", count: int = 1) -> None:
    """Wait until so many processes stand by."""
    sql, name = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1",
        application_name(database.schema, role),
    )

    async def there() -> bool:
        return bool(await database.fetchval(sql, name) >= count)

    await eventually(there)


@asynccontextmanager
async def silent_holder(database: Database, role: str = "writer") -> AsyncIterator[Connection]:
    """Yield a connection that holds the lock and does nothing, as that of a stopped process."""
    async with database.connection() as connection:
        name = application_name(database.schema, role) if role else f"pappus {database.schema}"
        await connection.execute("SELECT set_config('application_name', $1, false)", name)
        assert await try_lock(connection, f"{database.schema}.{WRITER}")
        yield connection


async def until_caught_up(event_log: MemoryEventLog, database: Database) -> None:
    await wait_until_caught_up(event_log, database, TOPICS, 20)


async def write_late(other: Process, schema: FreshSchema, database: Database) -> None:
    """Hold the lock in silence until the other process has folded the log, then write."""
    event_log = MemoryEventLog()
    async with silent_holder(database) as holder, running(other, event_log, schema):
        await publish(event_log)
        await until_caught_up(event_log, database)
        await holder.execute("INSERT INTO inputs (line) VALUES ('late')")


async def test_a_silent_writer_is_replaced_and_can_write_no_more(schema: FreshSchema, database: Database) -> None:
    written = list[tuple[str, UUID]]()
    with pytest.raises(TransientError):
        await write_late(Process("two", written), schema, database)
    assert [name for name, _ in written] == ["two"]
    assert await database.fetchval("SELECT count(*) FROM inputs") == 0


async def test_a_writer_that_hangs_in_a_batch_wakes_up_to_stand_by(schema: FreshSchema, database: Database) -> None:
    event_log, written = MemoryEventLog(), list[tuple[str, UUID]]()
    one, two = Process("one", written), Process("two", written)
    async with running(one, event_log, schema):
        await publish(event_log)
        await until_caught_up(event_log, database)
        one.works.clear()
        await publish(event_log, 3)
        await one.hangs.wait()
        async with running(two, event_log, schema):
            await until_caught_up(event_log, database)
            one.works.set()
            await eventually(lambda: one.detail(schema.name).startswith("standing by"))
            await publish(event_log, 3)
            await until_caught_up(event_log, database)
    assert await database.fetchval("SELECT count(*) FROM images") == 7
    assert await database.fetchval("SELECT max(attempts) FROM images") == 1
    assert {name for name, _ in written[-3:]} == {"two"}


async def test_a_silent_writer_with_nothing_to_do_is_left_alone(schema: FreshSchema, database: Database) -> None:
    event_log = AskedLog()
    async with running(Process("one", []), event_log, schema):
        await publish(event_log)
        await until_caught_up(event_log, database)
    event_log.asked = 0
    async with silent_holder(database) as holder, running(Process("two", []), event_log, schema):
        await eventually(lambda: event_log.asked >= 3)
        assert await holder.fetchval("SELECT 1") == 1


async def test_while_the_log_is_away_a_silent_writer_is_left_alone(schema: FreshSchema, database: Database) -> None:
    event_log = AskedLog()
    await publish(event_log)
    event_log.away = True
    async with silent_holder(database) as holder, running(Process("two", []), event_log, schema):
        await eventually(lambda: event_log.asked >= 3)
        assert await holder.fetchval("SELECT 1") == 1


async def test_a_statement_that_takes_long_is_not_silence(schema: FreshSchema, database: Database) -> None:
    event_log = AskedLog()
    await publish(event_log)
    async with silent_holder(database) as holder, running(Process("two", []), event_log, schema):
        await standing_by(database)
        await holder.execute("SELECT pg_sleep($1)", 4 * SILENCE_SECONDS)
        assert event_log.asked == 0


async def test_a_replay_is_not_taken_for_a_silent_writer(schema: FreshSchema, database: Database) -> None:
    event_log = AskedLog()
    await publish(event_log)
    async with silent_holder(database, role="") as replaying, running(Process("two", []), event_log, schema, 0.0):
        await standing_by(database)
        sql = "SELECT state_change > $1 FROM pg_stat_activity WHERE application_name = $2"
        now = await database.fetchval("SELECT clock_timestamp() + interval '1 second'")
        await eventually(lambda: database.fetchval(sql, now, application_name(schema.name, "standby")))
        assert await replaying.fetchval("SELECT 1") == 1


async def test_a_writer_at_work_is_never_replaced(schema: FreshSchema, database: Database) -> None:
    event_log, written = MemoryEventLog(), list[tuple[str, UUID]]()
    async with running(Process("one", written), event_log, schema), AsyncExitStack() as others:
        await publish(event_log)
        await until_caught_up(event_log, database)
        for number in range(3):
            await others.enter_async_context(running(Process(f"other {number}", written), event_log, schema, 2.5))
        await standing_by(database, count=3)
        end = await database.fetchval("SELECT clock_timestamp() + interval '6 seconds'")
        while await database.fetchval("SELECT clock_timestamp() < $1", end):
            await publish(event_log)
            await database.changed(1.0)
    assert {name for name, _ in written} == {"one"}


async def test_a_replay_gets_the_lock_though_several_stand_by(schema: FreshSchema, database: Database) -> None:
    event_log, written = MemoryEventLog(), list[tuple[str, UUID]]()
    one = Process("one", written)
    plan = ReplayPlan(schema.name, schema.migrations, [on_event(ImageRegistered, one.apply)])
    async with running(one, event_log, schema), AsyncExitStack() as others:
        await publish(event_log, 5)
        await until_caught_up(event_log, database)
        for number in range(3):
            await others.enter_async_context(running(Process(f"other {number}", written), event_log, schema))
        await standing_by(database, count=3)
        report = await asyncio.wait_for(replay(event_log, schema.url, plan), 20)
        await publish(event_log, 5)
        await until_caught_up(event_log, database)
    assert report.differing == ()
    assert await database.fetchval("SELECT count(*) FROM images WHERE attempts = 1") == 10


async def test_a_replay_gets_the_lock_of_a_silent_writer(schema: FreshSchema, database: Database) -> None:
    event_log, written = MemoryEventLog(), list[tuple[str, UUID]]()
    one = Process("one", written)
    plan = ReplayPlan(schema.name, schema.migrations, [on_event(ImageRegistered, one.apply)])
    async with running(one, event_log, schema):
        await publish(event_log, 5)
        await until_caught_up(event_log, database)
    async with silent_holder(database), running(Process("two", written), event_log, schema):
        await standing_by(database)
        report = await asyncio.wait_for(replay(event_log, schema.url, plan), 20)
    assert report.records == 5


async def test_a_reserve_writes_until_another_process_can(schema: FreshSchema, database: Database) -> None:
    event_log, written = MemoryEventLog(), list[tuple[str, UUID]]()
    reserve, other = Process("reserve", written), Process("other", written)
    async with running(reserve, event_log, schema, reserve=True):
        await publish(event_log)
        await until_caught_up(event_log, database)
        async with running(other, event_log, schema):
            await standing_by(database, "reserve")
            await publish(event_log)
            await until_caught_up(event_log, database)
        await publish(event_log)
        await until_caught_up(event_log, database)
    assert [name for name, _ in written] == ["reserve", "other", "reserve"]


async def test_a_reserve_keeps_the_lock_if_the_other_hangs(schema: FreshSchema, database: Database) -> None:
    event_log, written = MemoryEventLog(), list[tuple[str, UUID]]()
    async with database.connection() as stopped, running(Process("reserve", written), event_log, schema, reserve=True):
        name = application_name(schema.name, "standby")
        await stopped.execute("SELECT set_config('application_name', $1, false)", name)
        sql = """SELECT state_change < clock_timestamp() - interval '3 seconds'
                 FROM pg_stat_activity WHERE application_name = $1"""
        await eventually(lambda: database.fetchval(sql, name))
        for _ in range(2):
            await publish(event_log)
            await until_caught_up(event_log, database)
    assert [name for name, _ in written] == ["reserve", "reserve"]
