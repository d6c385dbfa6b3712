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
SELECT pg_get_serial_sequence($1 || '.' || $3, column_name) AS current,
       pg_get_serial_sequence($2 || '.' || $3, column_name) AS fresh
FROM information_schema.columns
WHERE table_schema = $2 AND table_name = $3 AND pg_get_serial_sequence($2 || '.' || $3, column_name) IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did. `kept` counts the rows of input tables that were taken over; `compared` are the folded tables,
    and `differing` those of them whose rows came out differently from the ones that were in use."""

    schema: str
    records: int
    skipped: int
    kept: Mapping[str, int]
    compared: tuple[str, ...]
    differing: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The tables of one service: their schema, the package of its migrations, and what folds which topic.

    keep: tables that show input and fold in one row; their rows are copied first.
    inputs: tables that no projector writes; they are taken over as they are at the swap.
    """

    schema: str
    migrations: str
    projectors: Sequence[Projector]
    keep: Sequence[str] = ()
    inputs: Sequence[str] = ()


async def replay(event_log: EventLog, database_url: str, plan: ReplayPlan) -> ReplayReport:
    """Fold into `<schema>_replay` up to the end offsets measured at the start, with the rows of the plan's tables
    `keep` copied first; then take the writer's lock, go on to where the tables in use are, and swap, with the rows of
    `keep` that were added meanwhile, and those of `inputs` as they are then.

    The services may run: their projection steps aside for the swap and goes on with the new tables. Calling it again
    after a failure starts afresh; until the swap nothing that is in use was touched.

    Raises:
        TransientError: Kafka or PostgreSQL went away.
        Exception: raised by a projector.
    """
    began, schema, put_in = time.monotonic(), plan.schema, (*plan.keep, *plan.inputs)
    fresh = f"{schema}_replay"
    async with Database.open(database_url, schema, plan.migrations) as current, current.lock("replay") as one_at_a_time:
        await drop_content(one_at_a_time, fresh)
        async with (
            Database.open(database_url, fresh, plan.migrations) as target,
            target.lock(WRITER) as connection,
            event_log.reader(tuple(projector.event.topic for projector in plan.projectors)) as reader,
        ):
            await _copy(connection, schema, fresh, plan.keep)
            run = await _Run.start(ProjectionBatch(fresh, plan.projectors, publisher=None), reader, connection)
            await run.fold_to(await reader.end_offsets())
            async with _writer_of(current) as writer:
                await run.fold_to(await _reached(writer, reader))
                before, after = (
                    await canonical_dump(current, without=put_in),
                    await canonical_dump(target, without=put_in),
                )
                kept = await retrying(AGAIN, lambda: _swap(writer, schema, fresh, plan.keep, plan.inputs))
    differing = tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))
    report = ReplayReport(
        schema, run.records, run.fold.skipped, kept, tuple(sorted(after)), differing, time.monotonic() - began
    )
    logger.info("replayed", **asdict(report))
    return report


class _Run:
    """The fold of one replay, and how far it is."""

    def __init__(
        self, fold: ProjectionBatch, reader: LogReader, connection: Connection, next_offsets: dict[TopicPartition, int]
    ) -> None:
        self.fold = fold
        self.records = 0
        self._reader = reader
        self._connection = connection
        self._next_offsets = next_offsets

    @classmethod
    async def start(cls, fold: ProjectionBatch, reader: LogReader, connection: Connection) -> "_Run":
        async with connection.transaction():
            next_offsets = await positions.start(connection, reader)
        return cls(fold, reader, connection, next_offsets)

    async def fold_to(self, ends: Mapping[TopicPartition, int]) -> None:
        """Fold until every partition named is at its end. What comes after it waits for the next call, so that the
        new tables can be compared with those in use."""
        await self._reader.start_at(self._next_offsets)
        heard = time.monotonic()
        while any(self._next_offsets.get(partition, end) < end for partition, end in ends.items()):
            polled = await self._reader.poll(POLL_SECONDS, BATCH)
            records = [record for record in polled if record.offset < ends.get(record.topic_partition, 0)]
            if polled:
                heard = time.monotonic()
                with transient_errors():
                    await self.fold.batch(self._connection, records)
                self.records += len(records)
                self._next_offsets.update({record.topic_partition: record.offset + 1 for record in records})
            elif time.monotonic() - heard > SILENCE_SECONDS:
                raise TransientError(f"The log delivered nothing for {SILENCE_SECONDS:g} s. Is Kafka running?")


async def _reached(writer: Connection, reader: LogReader) -> dict[TopicPartition, int]:
    """Return how far the tables in use were folded, as far as the log still goes there."""
    in_use, ends = positions.from_rows(await writer.fetch(positions.READ)), await reader.end_offsets()
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


async def _swap(
    writer: Connection, schema: str, fresh: str, keep: Sequence[str], inputs: Sequence[str]
) -> dict[str, int]:
    """Replace the tables in use by the new ones. A query that waits for a table meanwhile finds the new one."""
    with transient_errors():
        async with writer.transaction():
            for table in (*keep, *inputs):
                await writer.execute(f"LOCK TABLE {schema}.{table} IN SHARE ROW EXCLUSIVE MODE")
            await _copy(writer, schema, fresh, (*keep, *inputs))  # and rows that people added during the replay
            kept = {
                table: await writer.fetchval(f"SELECT count(*) FROM {fresh}.{table}")  # noqa: S608
                for table in (*keep, *inputs)
            }
            await drop_content(writer, schema)
            await move_content(writer, fresh, schema)
            await notify(writer, schema)
    return kept
