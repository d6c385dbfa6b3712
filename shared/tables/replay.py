"""Replay: fold the same topics again, from their beginning, into a second schema, and take its tables into use.

Publishes nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from shared.messaging.event_log import EventLog, LogReader, TopicPartition
from shared.runtime.errors import TransientError
from shared.runtime.retry import RetryPolicy, retrying
from shared.runtime.telemetry import logger as logger
from shared.tables import positions
from shared.tables.database import Database, notify
from shared.tables.dump import canonical_dump
from shared.tables.fold_version import check_fold_version
from shared.tables.postgres import Connection, transient_errors
from shared.tables.projection import ProjectionBatch, Projector
from shared.tables.schema_content import drop_content, move_content
from shared.tables.writer_lock import WRITER, release_lock_channel

__all__ = ["ReplayPlan", "ReplayReport", "canonical_dump", "replay"]

POLL_SECONDS = 0.5
SILENCE_SECONDS = 60.0
BATCH = 2000
ASK_EVERY_SECONDS = 0.2
AGAIN = RetryPolicy(first_seconds=0.1, attempts=5)
"""For the swap: it can lose a deadlock against a reader of several tables, which changes nothing."""
_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
_SEQUENCES = """
WITH names AS MATERIALIZED (
    SELECT column_name FROM information_schema.columns WHERE table_schema = $2 AND table_name = $3
)
SELECT pg_get_serial_sequence($1 || '.' || $3, column_name) AS current,
       pg_get_serial_sequence($2 || '.' || $3, column_name) AS fresh
FROM names WHERE pg_get_serial_sequence($2 || '.' || $3, column_name) IS NOT NULL
"""
"""MATERIALIZED: PostgreSQL could else ask for the sequences of the columns of all tables, which is an error."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did. `kept` counts the rows of input tables that were taken over; `compared` are the folded tables,
    and `differing` those of them whose rows came out differently from the ones in use. `explained` says why they had
    to differ, and is empty if they should be equal. `swapped`: whether the new tables are in use."""

    schema: str
    records: int
    skipped: int
    kept: Mapping[str, int]
    compared: tuple[str, ...]
    differing: tuple[str, ...]
    explained: str
    swapped: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The tables of one service: their schema, the package of its migrations, and what folds which topic.

    keep: tables that show input and fold in one row; their rows are copied first.
    inputs: tables that no projector writes; they are taken over as they are at the swap.
    expiring: tables that are folded from a topic of limited retention; their rows are copied first, because the older
        ones can be folded from nothing, and each has to come out as it was.
    repair: SQL for the swap when the log was replaced, with {current} and {fresh} for the two schemas: what was done
        because of records that are gone is to be done again.
    fold_version: the version of the folding code, see `Projection`.
    """

    schema: str
    migrations: str
    projectors: Sequence[Projector]
    keep: Sequence[str] = ()
    inputs: Sequence[str] = ()
    expiring: Sequence[str] = ()
    repair: Sequence[str] = ()
    fold_version: int = 1


async def replay(event_log: EventLog, database_url: str, plan: ReplayPlan, force: bool = False) -> ReplayReport:
    """Fold into `<schema>_replay` up to the end offsets measured at the start, with the rows of the plan's tables
    `keep` and `expiring` copied first; then take the writer's lock, go on to where the tables in use are, and swap,
    with the rows of `keep` that were added meanwhile, and those of `inputs` as they are then.

    If the new tables differ and nothing explains it, they are only put in use if `force` is set: tables that are not
    the fold of their log are evidence of a bug, and the ones in use may be the better ones.

    The services may run: their projection steps aside for the swap and goes on with the new tables. Calling it again
    after a failure starts afresh; until the swap nothing that is in use was touched.

    Raises:
        TransientError: Kafka or PostgreSQL went away.
        Exception: raised by a projector.
    """
    began, schema = time.monotonic(), plan.schema
    fresh = f"{schema}_replay"
    async with Database.open(database_url, schema, plan.migrations) as current, current.lock("replay") as one_at_a_time:
        await drop_content(one_at_a_time, fresh)
        async with (
            Database.open(database_url, fresh, plan.migrations) as target,
            target.lock(WRITER) as connection,
            event_log.reader(tuple(projector.event.topic for projector in plan.projectors)) as reader,
        ):
            await _copy(connection, schema, fresh, (*plan.keep, *plan.expiring))
            run = await _Run.start(ProjectionBatch(fresh, plan.projectors, publisher=None), reader, connection, plan)
            await run.fold_to(await reader.end_offsets())
            async with _writer_of(current) as writer:
                replaced = await positions.find_replacement(await _in_use(writer), reader)
                await run.fold_to(await _reached(writer, reader))
                compared, differing = await _compare(current, target, plan)
                explained = replaced or await _explain(writer, plan, run.next_offsets)
                swapped, kept = force or not differing or bool(explained), dict[str, int]()
                if swapped:
                    kept = await retrying(AGAIN, lambda: _swap(writer, fresh, plan, repair=bool(replaced)))
        if not swapped:
            await drop_content(one_at_a_time, fresh)
    seconds = time.monotonic() - began
    report = ReplayReport(schema, run.records, run.fold.skipped, kept, compared, differing, explained, swapped, seconds)
    logger.info("replayed", **asdict(report))
    return report


async def _compare(current: Database, target: Database, plan: ReplayPlan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tables that were compared, and those of them that came out differently."""
    without = (*plan.keep, *plan.inputs, *plan.expiring)
    before, after = await canonical_dump(current, without=without), await canonical_dump(target, without=without)
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    for table in plan.expiring:
        lost = f"SELECT t::text FROM {current.schema}.{table} t EXCEPT SELECT t::text FROM {target.schema}.{table} t"  # noqa: S608
        if await current.fetchval(f"SELECT EXISTS ({lost})"):
            differing.add(table)
    return tuple(sorted({*after, *plan.expiring})), tuple(sorted(differing))


async def _in_use(writer: Connection) -> dict[TopicPartition, positions.Position]:
    return positions.from_rows(await writer.fetch(positions.READ))


async def _explain(writer: Connection, plan: ReplayPlan, next_offsets: Mapping[TopicPartition, int]) -> str:
    """Return why the tables in use need not equal the new ones, which are folded up to `next_offsets`; an empty text if
    they have to."""
    in_use = await _in_use(writer)
    if any(
        partition not in in_use or in_use[partition].next_offset < offset for partition, offset in next_offsets.items()
    ):
        return "The tables in use were behind the log."
    version = await writer.fetchval("SELECT version FROM fold")
    if version != plan.fold_version:
        return f"The tables in use were made by other code (fold {version}; this release has fold {plan.fold_version})."
    return ""


class _Run:
    """The fold of one replay, and how far it is."""

    def __init__(
        self, fold: ProjectionBatch, reader: LogReader, connection: Connection, next_offsets: dict[TopicPartition, int]
    ) -> None:
        self.fold = fold
        self.records = 0
        self._reader = reader
        self._connection = connection
        self.next_offsets = next_offsets

    @classmethod
    async def start(cls, fold: ProjectionBatch, reader: LogReader, connection: Connection, plan: ReplayPlan) -> "_Run":
        async with connection.transaction():
            await check_fold_version(connection, f"{plan.schema}_replay", plan.fold_version)
            next_offsets = await positions.start(connection, reader)
        return cls(fold, reader, connection, next_offsets)

    async def fold_to(self, ends: Mapping[TopicPartition, int]) -> None:
        """Fold until every partition named is at its end. What comes after it waits for the next call, so that the
        new tables can be compared with those in use."""
        await self._reader.start_at(self.next_offsets)
        heard = time.monotonic()
        while any(self.next_offsets.get(partition, end) < end for partition, end in ends.items()):
            polled = await self._reader.poll(POLL_SECONDS, BATCH)
            records = [record for record in polled if record.offset < ends.get(record.topic_partition, 0)]
            if polled:
                heard = time.monotonic()
                with transient_errors():
                    await self.fold.batch(self._connection, records)
                self.records += len(records)
                self.next_offsets.update({record.topic_partition: record.offset + 1 for record in records})
            elif time.monotonic() - heard > SILENCE_SECONDS:
                raise TransientError(f"The log delivered nothing for {SILENCE_SECONDS:g} s. Is Kafka running?")


async def _reached(writer: Connection, reader: LogReader) -> dict[TopicPartition, int]:
    """Return how far the tables in use were folded, as far as the log still goes there."""
    in_use, ends = await _in_use(writer), await reader.end_offsets()
    return {
        partition: min(in_use[partition].next_offset, end) for partition, end in ends.items() if partition in in_use
    }


@asynccontextmanager
async def _writer_of(database: Database) -> AsyncIterator[Connection]:
    """Hold the writer's lock, after asking its holder to release it."""

    async def ask() -> None:
        while True:
            await database.execute("SELECT pg_notify($1, '')", release_lock_channel(database.schema))
            await asyncio.sleep(ASK_EVERY_SECONDS)

    asking = asyncio.create_task(ask())
    try:
        async with database.lock(WRITER) as connection:
            asking.cancel()
            yield connection
    finally:
        asking.cancel()


async def _copy(connection: Connection, source: str, target: str, tables: Sequence[str]) -> dict[str, int]:
    """Copy the rows that `target` lacks, and where the sequences stand. Triggers do not fire. Gives the rows copied."""
    copied = {}
    async with connection.transaction():
        for table in tables:
            columns = await connection.fetch(_COLUMNS, target, table)
            names = ", ".join(f'"{column["column_name"]}"' for column in columns)
            await connection.execute(f"ALTER TABLE {target}.{table} DISABLE TRIGGER USER")
            status = await connection.execute(
                f"INSERT INTO {target}.{table} ({names}) OVERRIDING SYSTEM VALUE"  # noqa: S608 - names from the catalogue
                f" SELECT {names} FROM {source}.{table} ON CONFLICT DO NOTHING"
            )
            await connection.execute(f"ALTER TABLE {target}.{table} ENABLE TRIGGER USER")
            copied[table] = int(status.split()[-1])
            for sequence in await connection.fetch(_SEQUENCES, source, target, table):
                await connection.execute(
                    f"SELECT setval('{sequence['fresh']}', last_value, is_called) FROM {sequence['current']}"  # noqa: S608
                )
    return copied


async def _swap(writer: Connection, fresh: str, plan: ReplayPlan, repair: bool) -> dict[str, int]:
    """Replace the tables in use by the new ones. A query that waits for a table meanwhile finds the new one. Return how
    many rows of input tables were taken over."""
    schema, put_in = plan.schema, (*plan.keep, *plan.inputs)
    with transient_errors():
        async with writer.transaction():
            for table in put_in:
                await writer.execute(f"LOCK TABLE {schema}.{table} IN SHARE ROW EXCLUSIVE MODE")
            await _copy(writer, schema, fresh, put_in)  # and rows that people added during the replay
            for statement in plan.repair if repair else ():
                await writer.execute(statement.format(current=schema, fresh=fresh))
            kept = {
                table: await writer.fetchval(f"SELECT count(*) FROM {fresh}.{table}")  # noqa: S608
                for table in put_in
            }
            await drop_content(writer, schema)
            await move_content(writer, fresh, schema)
            await notify(writer, schema)
    return kept
