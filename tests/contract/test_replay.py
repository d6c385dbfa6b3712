"""Replay: the same tables from the same log, swapped in while the services run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.contract.events import Event, ImageRegistered
from shared.messaging.event_log import EventLog
from shared.runtime.errors import InvalidMessage, LogReplaced, TransientError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import Projection, Transaction, on_event, wait_until_caught_up
from shared.tables.replay import ReplayPlan, ReplayReport, replay
from shared.testing import FreshSchema, MemoryEventLog, eventually, image_registered

TOPIC = ImageRegistered.topic


async def apply_image_registered(event: ImageRegistered, transaction: Transaction) -> None:
    if event.registered_by == "unknown":
        raise InvalidMessage("the registrar is unknown")
    await transaction.execute(
        "INSERT INTO images (image_id, label) VALUES ($1, $2)"
        " ON CONFLICT (image_id) DO UPDATE SET label = excluded.label",
        event.image_id,
        event.label,
    )


PROJECTORS = [on_event(ImageRegistered, apply_image_registered)]


async def publish(event_log: EventLog, *events: Event) -> None:
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)


async def replayed(
    event_log: EventLog, schema: FreshSchema, keep: tuple[str, ...] = (), force: bool = False, **plan: Any
) -> ReplayReport:
    made = ReplayPlan(schema.name, schema.migrations, PROJECTORS, keep, **plan)
    return await replay(event_log, schema.url, made, force)


@asynccontextmanager
async def projecting(event_log: EventLog, database: Database) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(Projection(event_log, database, PROJECTORS, Health()).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def image_ids(database: Database) -> set[UUID]:
    return {row["image_id"] for row in await database.fetch("SELECT image_id FROM images")}


async def test_gives_the_tables_that_the_projection_gave(
    event_log: EventLog, database: Database, schema: FreshSchema
) -> None:
    await publish(event_log, *(image_registered() for _ in range(50)), image_registered(registered_by="unknown"))
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    before = await canonical_dump(database)
    report = await replayed(event_log, schema)
    assert await canonical_dump(database) == before
    assert set(before) == {"images", "inputs", "positions"}
    assert (report.records, report.skipped) == (51, 1)


async def test_differing_tables_are_only_used_if_told(database: Database, schema: FreshSchema) -> None:
    event_log, events = MemoryEventLog(), [image_registered() for _ in range(5)]
    await publish(event_log, *events)
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    before = await canonical_dump(database)
    await database.execute("UPDATE images SET label = 'wrong'")
    await database.execute("INSERT INTO images (image_id) VALUES ($1)", uuid4())
    changed = await canonical_dump(database)
    assert changed["images"] != before["images"]
    report = await replayed(event_log, schema)
    assert (report.differing, report.explained, report.swapped) == (("images",), "", False)
    assert await canonical_dump(database) == changed
    assert not await database.fetch("SELECT FROM pg_tables WHERE schemaname = $1", f"{schema.name}_replay")
    report = await replayed(event_log, schema, force=True)
    assert (report.differing, report.swapped) == (("images",), True)
    assert await canonical_dump(database) == before


async def test_publishes_nothing_not_even_dead_letters(database: Database, schema: FreshSchema) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered(registered_by="unknown"))
    event_log.append(TOPIC, "key", b"not an event")
    report = await replayed(event_log, schema)
    assert report.skipped == 2
    assert not event_log.dead_letters(TOPIC)


async def test_makes_a_replaced_log_usable_again(database: Database, schema: FreshSchema) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered())
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    event_log.clear()
    await publish(event_log, *(new := [image_registered() for _ in range(3)]))
    async with projecting(event_log, database) as task:
        with pytest.raises(LogReplaced):
            await asyncio.wait_for(task, 20)
    await replayed(event_log, schema)
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
        assert await image_ids(database) == {event.image_id for event in new}


async def test_rows_that_expired_on_their_topic_stay(database: Database, schema: FreshSchema) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, *(image_registered() for _ in range(3)))
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    await database.execute("INSERT INTO images (image_id, label) VALUES ($1, 'expired')", uuid4())
    before = await canonical_dump(database)
    report = await replayed(event_log, schema, expiring=("images",))
    assert (report.differing, report.swapped) == ((), True)
    assert await canonical_dump(database) == before


async def test_tables_of_an_older_fold_are_red_until_a_replay(database: Database, schema: FreshSchema) -> None:
    event_log, health = MemoryEventLog(), Health()
    await publish(event_log, *(image_registered() for _ in range(3)))
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    await database.execute("UPDATE images SET label = 'as the older code did'")
    newer = Projection(event_log, database, PROJECTORS, health, fold_version=2)
    task = asyncio.create_task(newer.run())
    try:
        await eventually(lambda: health.state(f"tables {schema.name}") is not None)
        state = health.state(f"tables {schema.name}")
        assert state is not None
        assert not state.ok
        assert f"pappus replay {schema.name}" in state.detail
        await publish(event_log, image_registered())
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
        report = await replayed(event_log, schema, fold_version=2)
        assert report.swapped
        assert "other code" in report.explained
        await eventually(lambda: health.ok, 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_older_code_does_not_fold_into_tables_of_newer_code(database: Database, schema: FreshSchema) -> None:
    event_log, health = MemoryEventLog(), Health()
    await publish(event_log, image_registered())
    await database.execute("INSERT INTO positions VALUES ($1, 0, 0)", TOPIC)
    await database.execute("UPDATE fold SET version = 3")
    task = asyncio.create_task(Projection(event_log, database, PROJECTORS, health, fold_version=2).run())
    try:
        await eventually(lambda: not health.ok)
        assert "newer release" in str(health.report())
        assert not await image_ids(database)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_keeps_the_rows_of_input_tables_and_goes_on_counting_their_ids(
    database: Database, schema: FreshSchema
) -> None:
    for line in ("one", "two", "three"):
        await database.execute("INSERT INTO inputs (line) VALUES ($1)", line)
    await database.execute("DELETE FROM inputs WHERE line = 'three'")
    report = await replayed(MemoryEventLog(), schema, keep=("inputs",))
    assert report.kept == {"inputs": 2}
    await database.execute("INSERT INTO inputs (line) VALUES ('four')")
    rows = await database.fetch("SELECT id, line, size FROM inputs ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [(1, "one", 3), (2, "two", 3), (4, "four", 4)]


async def test_does_not_depend_on_how_postgresql_reads_its_catalogue(database: Database, schema: FreshSchema) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered())
    joiner = "&" if "?" in schema.url else "?"
    no_index = "&".join(f"enable_{how}=off" for how in ("nestloop", "indexscan", "indexonlyscan", "bitmapscan"))
    plan = ReplayPlan(schema.name, schema.migrations, PROJECTORS, keep=("inputs",))
    assert (await replay(event_log, f"{schema.url}{joiner}{no_index}", plan, force=True)).swapped


async def test_inputs_changed_or_deleted_during_a_replay_are_not_brought_back(
    database: Database, schema: FreshSchema
) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered())
    for line in ("an old password", "has left"):
        await database.execute("INSERT INTO inputs (line) VALUES ($1)", line)

    async def meanwhile(event: ImageRegistered, transaction: Transaction) -> None:
        await apply_image_registered(event, transaction)
        await database.execute("UPDATE inputs SET line = 'a new password' WHERE line = 'an old password'")
        await database.execute("DELETE FROM inputs WHERE line = 'has left'")
        await database.execute("INSERT INTO inputs (line) VALUES ('has come')")

    projectors = [on_event(ImageRegistered, meanwhile)]
    plan = ReplayPlan(schema.name, schema.migrations, projectors, inputs=("inputs",))
    report = await replay(event_log, schema.url, plan)
    rows = await database.fetch("SELECT line FROM inputs ORDER BY id")
    assert [row["line"] for row in rows] == ["a new password", "has come"]
    assert report.kept == {"inputs": 2}
    await database.execute("INSERT INTO inputs (line) VALUES ('the next')")
    assert await database.fetchval("SELECT max(id) FROM inputs") == 4


async def test_while_the_services_run_loses_neither_events_nor_rows(schema: FreshSchema) -> None:
    """Writers, a projection and readers with prepared statements go on through three replays."""
    event_log, published, lines = MemoryEventLog(), list[UUID](), list[str]()
    trouble: list[TransientError] = []
    stop = asyncio.Event()

    async def write_until_stopped(database: Database) -> None:
        while not stop.is_set():
            event = image_registered()
            await publish(event_log, event)
            published.append(event.image_id)
            line = str(uuid4())
            try:
                await database.execute("INSERT INTO inputs (line) VALUES ($1)", line)
                lines.append(line)
                async with database.transaction() as transaction:
                    await transaction.fetch("SELECT * FROM images")
                    await transaction.fetch("SELECT * FROM inputs")
            except TransientError as error:  # a swap may interrupt; then it works again
                trouble.append(error)

    async with schema.open() as database, projecting(event_log, database):
        work = asyncio.create_task(write_until_stopped(database))
        for _ in range(3):
            wanted = len(published) + 30

            def more(wanted: int = wanted) -> bool:
                return len(published) > wanted

            await eventually(more)
            await replayed(event_log, schema, keep=("inputs",))
        stop.set()
        await work
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
        assert await image_ids(database) == set(published)
        assert {row["line"] for row in await database.fetch("SELECT line FROM inputs")} == set(lines)
        assert len(trouble) <= 3


async def test_never_puts_older_tables_in_the_place_of_newer_ones(database: Database, schema: FreshSchema) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, *(image_registered() for _ in range(3)))
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
        await publish(event_log, late := image_registered())
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    await replayed(event_log, schema)
    assert late.image_id in await image_ids(database)


async def test_that_fails_leaves_the_tables_untouched_and_can_be_run_again(
    database: Database, schema: FreshSchema
) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, image_registered())
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)
    before = await canonical_dump(database)

    async def broken(event: ImageRegistered, transaction: Transaction) -> None:
        raise KeyError("a bug")

    plan = ReplayPlan(schema.name, schema.migrations, [on_event(ImageRegistered, broken)])
    with pytest.raises(KeyError):
        await replay(event_log, schema.url, plan)
    assert await canonical_dump(database) == before
    await replayed(event_log, schema)
    assert await canonical_dump(database) == before


async def test_a_dump_sees_any_difference_but_not_the_order_in_which_rows_came(database: Database) -> None:
    one, two = uuid4(), uuid4()
    await database.execute("INSERT INTO images (image_id, label) VALUES ($1, 'a'), ($2, NULL)", one, two)
    first = await canonical_dump(database)
    await database.execute("TRUNCATE images")
    await database.execute("INSERT INTO images (image_id, label) VALUES ($2, NULL), ($1, 'a')", one, two)
    assert await canonical_dump(database) == first
    await database.execute("UPDATE images SET label = '' WHERE label IS NULL")
    assert (await canonical_dump(database))["images"] != first["images"]
    assert set(await canonical_dump(database, without=["images"])) == {"inputs", "positions"}


async def test_a_swap_that_loses_a_deadlock_against_a_reader_is_tried_again(
    database: Database, schema: FreshSchema
) -> None:
    event_log = MemoryEventLog()
    await publish(event_log, *(events := [image_registered() for _ in range(3)]))
    async with projecting(event_log, database):
        await wait_until_caught_up(event_log, database, [TOPIC], 20)

    async def swap_waits() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'images'::regclass"
        return bool(await database.fetchval(waiting))

    with suppress(
        TransientError
    ):  # only if this process stalls: the first that waits detects the deadlock, and is rolled back
        async with database.transaction() as reader:
            await reader.fetch("SELECT * FROM images")
            replaying = asyncio.create_task(replayed(event_log, schema, keep=("inputs",)))
            await eventually(swap_waits)
            await reader.execute("INSERT INTO inputs (line) VALUES ('meanwhile')")
    report = await replaying
    assert report.differing == ()
    assert await image_ids(database) == {event.image_id for event in events}
    assert await database.fetchval("SELECT count(*) FROM inputs WHERE line = 'meanwhile'") == report.kept["inputs"]
