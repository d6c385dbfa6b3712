"""Projections: receive -> tables and position in one transaction. Exactly once, and the same code in replay."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.contract.events import Event
from shared.messaging.codec import decode
from shared.messaging.dead_letters import count_dead_letter, dead_letter
from shared.messaging.event_log import Log, LogReader, Partition, Publisher, Record
from shared.messaging.tracing import process_span
from shared.runtime.errors import InvalidMessage, PappusError, TransientError
from shared.runtime.health import Health
from shared.runtime.metrics import EVENTS_PROJECTED, PROJECTION_LAG, PROJECTION_SECONDS
from shared.runtime.retry import FOR_EVER, delay
from shared.runtime.telemetry import log as logger
from shared.tables import positions
from shared.tables.database import Database, notify
from shared.tables.positions import Position
from shared.tables.postgres import Connection, Transaction

__all__ = ["Applier", "Fold", "Projection", "Transaction", "caught_up", "folded", "project"]

E = TypeVar("E", bound=Event)

WRITER = "projection"
"""Name of the advisory lock that the one writer of a schema holds."""
POLL_SECONDS = 1.0
LAG_EVERY_SECONDS = 5.0
STAND_BACK_SECONDS = 1.0
LASTS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Applier:
    """One event type and the function that folds it into tables. Made by `project`."""

    event: type[Event]
    apply: Callable[[Any, Transaction], Awaitable[None]]


def project(event: type[E], apply: Callable[[E, Transaction], Awaitable[None]]) -> Applier:
    """Fold events of this type with `apply`, which only writes tables through the transaction it is given, tolerates
    repetition, and any order between topics. InvalidMessage skips the event; any other exception stops the
    projection."""
    return Applier(event, apply)


class _Skipped(Exception):
    def __init__(self, index: int, error: InvalidMessage) -> None:
        super().__init__()
        self.index = index
        self.error = error


class Fold:
    """Applies batches of records to the tables of one schema. `publisher` takes the dead letters of skipped records;
    None, as in replay, publishes none."""

    def __init__(self, schema: str, appliers: Sequence[Applier], publisher: Publisher | None) -> None:
        self._schema = schema
        self._appliers = {applier.event.topic: applier for applier in appliers}
        if len(self._appliers) != len(appliers):
            raise PappusError(f"Two appliers of {schema} fold the same topic: join them into one function.")
        self._publisher = publisher
        self.skipped = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What is folded."""
        return tuple(self._appliers)

    async def batch(self, connection: Transaction, records: Sequence[Record]) -> None:
        """Apply the records, store how far that is, and announce the change, all in one transaction."""
        invalid: dict[int, InvalidMessage] = {}
        while True:
            try:
                async with connection.transaction():
                    after = await self._apply(connection, records, invalid)
                    await self._publish_invalid(records, invalid)
                    await positions.store(connection, after)
                    await notify(connection, self._schema)
            except _Skipped as skipped:  # the transaction is rolled back: once more, without this one
                invalid[skipped.index] = skipped.error
                continue
            break
        self.skipped += len(invalid)
        for record in records:
            EVENTS_PROJECTED.labels(self._schema, record.topic).inc()

    async def _apply(
        self, connection: Transaction, records: Sequence[Record], invalid: dict[int, InvalidMessage]
    ) -> dict[Partition, Position]:
        after: dict[Partition, Position] = {}
        for index, record in enumerate(records):
            with process_span(record, f"process {record.topic}"):
                try:
                    event = None if index in invalid else decode(record.topic, record.value)
                except InvalidMessage as error:  # nothing was written for it, so nothing is rolled back
                    event, invalid[index] = None, error
                if event is not None:
                    await self._apply_one(connection, index, record, event)
                    after[record.place] = Position(record.offset + 1, event.event_id)
                    continue
            after[record.place] = Position(record.offset + 1, positions.identity(record))
        return after

    async def _apply_one(self, connection: Transaction, index: int, record: Record, event: Event) -> None:
        try:
            await self._appliers[record.topic].apply(event, connection)
        except InvalidMessage as error:
            raise _Skipped(index, error) from error
        except Exception as error:
            error.add_note(f"While {self._schema} applied {record.topic}[{record.partition}]@{record.offset}.")
            raise

    async def _publish_invalid(self, records: Sequence[Record], invalid: dict[int, InvalidMessage]) -> None:
        if self._publisher is None:
            return
        for index, error in sorted(invalid.items()):
            letter = dead_letter(records[index], error, handler=f"projection {self._schema}", attempts=1)
            await self._publisher.publish_dead_letter(letter)
            count_dead_letter(letter)


class Projection:
    """Folds the topics of its appliers into the tables of one schema, for ever. Of several processes that run one, one
    writes and the others stand by."""

    def __init__(self, log: Log, database: Database, appliers: Sequence[Applier], health: Health) -> None:
        self._log = log
        self._database = database
        self._appliers = appliers
        self._health = health
        self._part = f"projection {database.schema}"
        self._failures = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What the tables are folded from."""
        return tuple(applier.event.topic for applier in self._appliers)

    async def run(self) -> None:
        """Wait for the schema's writer lock, then fold. Kafka or PostgreSQL away: goes on when they are back.

        Raises:
            LogReplaced: the log is not the one the tables were folded from.
            Exception: whatever an applier raised; nothing of its batch was written.
        """
        while True:
            try:
                await self._write()
                await asyncio.sleep(STAND_BACK_SECONDS)
            except TransientError as error:
                self._failures += 1
                seconds = delay(FOR_EVER, self._failures) or 0.0
                self._health.set(self._part, False, str(error))
                logger.warning("projection interrupted", part=self._part, reason=str(error), again_in_seconds=seconds)
                await asyncio.sleep(seconds)

    async def _write(self) -> None:
        """Be the writer, until a replay asks for the lock."""
        with self._said_if_it_lasts(True, "standing by: another process writes the tables") as standing_by:
            async with self._database.lock(WRITER) as connection:
                standing_by.cancel()
                asked = asyncio.Event()
                await connection.add_listener(let_go_channel(self._database.schema), lambda *_: asked.set())
                with self._said_if_it_lasts(False, "waiting for Kafka: is it running?") as waiting:
                    source = f"pappus/{self._database.schema}"
                    async with self._log.reader(self.topics) as reader, self._log.publisher(source) as publisher:
                        async with connection.transaction():
                            places = await positions.start(connection, reader)
                        await reader.start_at(places)
                        waiting.cancel()
                        self._failures = 0
                        self._health.set(self._part, True)
                        fold = Fold(self._database.schema, self._appliers, publisher)
                        await self._fold_until(asked, fold, connection, reader, dict(places))

    @contextmanager
    def _said_if_it_lasts(self, ok: bool, detail: str) -> Iterator[asyncio.TimerHandle]:
        """Says in health how it is unless the timer is cancelled soon: until then the word before, which may be of a
        failure that is not over, stands."""
        timer = asyncio.get_running_loop().call_later(LASTS_SECONDS, self._health.set, self._part, ok, detail)
        try:
            yield timer
        finally:
            timer.cancel()

    async def _fold_until(
        self, asked: asyncio.Event, fold: Fold, connection: Connection, reader: LogReader, places: dict[Partition, int]
    ) -> None:
        measured = -LAG_EVERY_SECONDS
        while not asked.is_set():
            records = await reader.poll(POLL_SECONDS)
            if connection.is_closed():
                raise TransientError("The connection that holds the writer's lock was lost. Is PostgreSQL running?")
            if records:
                with PROJECTION_SECONDS.labels(self._database.schema).time():
                    await fold.batch(connection, records)
                places.update({record.place: record.offset + 1 for record in records})
            if time.monotonic() - measured >= LAG_EVERY_SECONDS:
                measured = time.monotonic()
                await self._measure_lag(reader, places)

    async def _measure_lag(self, reader: LogReader, places: dict[Partition, int]) -> None:
        lag = dict.fromkeys(self.topics, 0)
        for place, end in (await reader.end_offsets()).items():
            lag[place.topic] += end - places[place]
        for topic, events in lag.items():
            PROJECTION_LAG.labels(self._database.schema, topic).set(events)


def let_go_channel(schema: str) -> str:
    """The channel on which a replay asks the writer of a schema to step aside."""
    return f"{schema}_let_go"


async def caught_up(log: Log, database: Database, topics: Sequence[str], timeout_seconds: float) -> None:
    """Wait until the tables show everything that stands on these topics now.

    Raises:
        TransientError: they did not in time, or the log or PostgreSQL is away.
    """
    await _wait_for(database, await log.end_offsets(topics), timeout_seconds)


async def folded(database: Database, records: Sequence[Record], timeout_seconds: float) -> None:
    """Wait until the tables show these records, as far as their topics are folded into this schema at all.

    Raises:
        TransientError: they did not in time, or PostgreSQL is away.
    """
    known = positions.from_rows(await database.fetch(positions.READ))
    ends: dict[Partition, int] = {}
    for record in records:
        if record.place in known:
            ends[record.place] = max(record.offset + 1, ends.get(record.place, 0))
    await _wait_for(database, ends, timeout_seconds)


async def _wait_for(database: Database, ends: Mapping[Partition, int], timeout_seconds: float) -> None:
    behind: dict[Partition, int] = {}

    async def there() -> bool | None:
        known = positions.from_rows(await database.fetch(positions.READ))
        behind.clear()
        for place, end in ends.items():
            position = known.get(place)
            if position is None or position.next_offset < end:  # without a row, no projection has ever started
                behind[place] = end - (position.next_offset if position else 0)
        return None if behind else True

    if not await database.wait_until(there, timeout_seconds):
        missing = ", ".join(f"{place.topic}[{place.number}] by {events}" for place, events in sorted(behind.items()))
        raise TransientError(
            f"After {timeout_seconds:g} s the tables of {database.schema} are still behind: {missing}."
            " Is the process with its projection running?"
        )
