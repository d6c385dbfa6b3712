"""Projections: receive -> tables and position in one transaction. Exactly once, and the same code in replay."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from shared.contract.events import Event
from shared.messaging.codec import decode_record
from shared.messaging.dead_letters import make_dead_letter, record_dead_letter
from shared.messaging.event_log import EventLog, LogReader, Publisher, Record, TopicPartition
from shared.messaging.tracing import describe_event, process_span, recorded_parent
from shared.runtime.errors import InvalidMessage, PappusError, TransientError, UnknownContent
from shared.runtime.health import Health
from shared.runtime.metrics import EVENTS_PROJECTED, OLDEST_WAITING_SECONDS, PROJECTION_LAG, PROJECTION_SECONDS
from shared.runtime.retry import UNTIL_CANCELLED, delay
from shared.runtime.telemetry import logger as logger
from shared.tables import positions, traces
from shared.tables.database import Database, notify
from shared.tables.fold_version import check_fold_version
from shared.tables.lock_holder import SILENCE_SECONDS
from shared.tables.positions import Position
from shared.tables.postgres import Transaction
from shared.tables.writer_lock import RELEASE_PAUSE_SECONDS, StandBy, WriterLock

__all__ = [
    "Projection",
    "ProjectionBatch",
    "Projector",
    "Transaction",
    "on_event",
    "on_events",
    "wait_until_caught_up",
    "wait_until_projected",
]

E = TypeVar("E", bound=Event)

POLL_SECONDS = 1.0
LAG_EVERY_SECONDS = 5.0
LASTS_SECONDS = 1.0
FORGET_EVERY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Projector:
    """One event type and the function that folds it into tables; `apply_together` folds several, None if there is no
    such function. Made by `on_event` or `on_events`."""

    event: type[Event]
    apply: Callable[[Any, Transaction], Awaitable[None]]
    apply_together: Callable[[Sequence[Any], Transaction], Awaitable[None]] | None = None


def on_event(event: type[E], apply: Callable[[E, Transaction], Awaitable[None]]) -> Projector:
    """Fold events of this type with `apply`, which only writes tables through the transaction it is given, tolerates
    repetition, and any order between topics. InvalidMessage skips the event; any other exception stops the
    projection."""
    return Projector(event, apply)


def on_events(event: type[E], apply: Callable[[Sequence[E], Transaction], Awaitable[None]]) -> Projector:
    """As `on_event`, for events that come in thousands: `apply` takes those of one batch in their order, to write them
    in few round trips (`executemany`). After an InvalidMessage the batch begins anew, with one event at a time."""

    async def apply_one(one: E, transaction: Transaction) -> None:
        await apply([one], transaction)

    return Projector(event, apply_one, apply)


class _Skipped(Exception):
    def __init__(self, index: int, error: InvalidMessage) -> None:
        super().__init__()
        self.index = index
        self.error = error


class _Apart(Exception):
    """One of several events that were applied together cannot be folded: which one shows when each is applied alone."""


class _Stopped(Exception):
    """A record whose content this release does not know; those before it can be applied."""

    def __init__(self, index: int, error: UnknownContent) -> None:
        super().__init__()
        self.index = index
        self.error = error


class ProjectionBatch:
    """Applies batches of records to the tables of one schema. `publisher` takes the dead letters of skipped records;
    None, as in replay, publishes none. `keep_traces`: see Projection."""

    def __init__(
        self, schema: str, projectors: Sequence[Projector], publisher: Publisher | None, keep_traces: bool = False
    ) -> None:
        self._schema = schema
        self._projectors = {projector.event.topic: projector for projector in projectors}
        if len(self._projectors) != len(projectors):
            raise PappusError(f"Two projectors of {schema} fold the same topic: join them into one function.")
        self._publisher = publisher
        self._keep_traces = keep_traces
        self.skipped = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What is folded."""
        return tuple(self._projectors)

    async def batch(self, connection: Transaction, records: Sequence[Record]) -> None:
        """Apply the records, store how far that is, and announce the change, all in one transaction.

        Raises:
            UnknownContent: a newer release wrote one of them. Those before it are applied.
        """
        invalid: dict[int, InvalidMessage] = {}
        apart = False
        while True:
            try:
                async with connection.transaction():
                    parents: dict[UUID, str] = {}
                    after = await self._apply(connection, records, invalid, parents, apart)
                    await self._publish_invalid(records, invalid)
                    await traces.keep(connection, parents)
                    await positions.store(connection, after)
                    await notify(connection, self._schema, {record.topic for record in records})
            except _Skipped as skipped:  # the transaction is rolled back: once more, without this one
                invalid[skipped.index] = skipped.error
                continue
            except _Apart:
                apart = True
                continue
            except _Stopped as stopped:
                if stopped.index:
                    await self.batch(connection, records[: stopped.index])
                raise stopped.error from None
            break
        self.skipped += len(invalid)
        for record in records:
            EVENTS_PROJECTED.labels(self._schema, record.topic).inc()

    async def _apply(
        self,
        connection: Transaction,
        records: Sequence[Record],
        invalid: dict[int, InvalidMessage],
        parents: dict[UUID, str],
        apart: bool,
    ) -> dict[TopicPartition, Position]:
        after: dict[TopicPartition, Position] = {}
        together: dict[
            str, list[tuple[int, Event]]
        ] = {}  # applied last: between topics any order gives the same tables
        for index, record in enumerate(records):
            with process_span(record, "fold"):
                try:
                    event = None if index in invalid else decode_record(record)
                except InvalidMessage as error:  # nothing was written for it, so nothing is rolled back
                    event, invalid[index] = None, error
                except UnknownContent as error:
                    raise _Stopped(index, error) from error
                if event is not None:
                    describe_event(event)
                    if self._projectors[record.topic].apply_together is not None and not apart:
                        together.setdefault(record.topic, []).append((index, event))
                    else:
                        await self._apply_one(connection, index, record, event)
                    if self._keep_traces and (parent := recorded_parent(record)) is not None:
                        parents[event.event_id] = parent
                    after[record.topic_partition] = Position(record.offset + 1, event.event_id)
                    continue
            after[record.topic_partition] = Position(record.offset + 1, positions.identity(record))
        for topic, numbered in together.items():
            await self._apply_together(connection, topic, [event for _, event in numbered], records[numbered[0][0]])
        return after

    async def _apply_one(self, connection: Transaction, index: int, record: Record, event: Event) -> None:
        try:
            await self._projectors[record.topic].apply(event, connection)
        except InvalidMessage as error:
            raise _Skipped(index, error) from error
        except Exception as error:
            error.add_note(f"While {self._schema} applied {record.topic}[{record.partition}]@{record.offset}.")
            raise

    async def _apply_together(
        self, connection: Transaction, topic: str, events: Sequence[Event], first: Record
    ) -> None:
        apply = self._projectors[topic].apply_together
        assert apply is not None
        try:
            await apply(events, connection)
        except InvalidMessage as error:
            raise _Apart from error
        except Exception as error:
            place = f"{topic}[{first.partition}]@{first.offset}"
            error.add_note(f"While {self._schema} applied {len(events)} events together, the first at {place}.")
            raise

    async def _publish_invalid(self, records: Sequence[Record], invalid: dict[int, InvalidMessage]) -> None:
        if self._publisher is None:
            return
        for index, error in sorted(invalid.items()):
            dead_letter = make_dead_letter(records[index], error, handler=f"projection {self._schema}", attempts=1)
            await self._publisher.publish_dead_letter(dead_letter)
            record_dead_letter(dead_letter)


class Projection:
    """Folds the topics of its projectors into the tables of one schema. Of several processes that run one, one writes
    and the others stand by; `silence_seconds` and `reserve` say when one takes over (see `writer_lock`).

    `fold_version` is the version of the folding code: raised when events that are folded already would give other rows.
    Tables made by an older one turn health red until a replay, and are folded on meanwhile. `keep_traces`: keep the
    trace of each event for a day, for what is decided from the tables (`shared.tables.traces`).
    """

    def __init__(
        self,
        event_log: EventLog,
        database: Database,
        projectors: Sequence[Projector],
        health: Health,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        reserve: bool = False,
        fold_version: int = 1,
        keep_traces: bool = False,
    ) -> None:
        self._event_log = event_log
        self._database = database
        self._projectors = projectors
        self._health = health
        self._fold_version = fold_version
        self._keep_traces = keep_traces
        self._part = f"projection {database.schema}"
        self._failures = 0
        self._stand_by = StandBy(event_log, database, self.topics, silence_seconds, reserve)

    @property
    def topics(self) -> tuple[str, ...]:
        """What the tables are folded from."""
        return tuple(projector.event.topic for projector in self._projectors)

    async def run(self) -> None:
        """Wait for the writer's lock, then fold until cancelled. While Kafka or PostgreSQL is away this waits.

        Raises:
            LogReplaced: the log is not the one the tables were folded from.
            Exception: what a projector raised; nothing of its batch was written.
        """
        while True:
            try:
                await self._write()
                await asyncio.sleep(RELEASE_PAUSE_SECONDS)
            except TransientError as error:
                self._failures += 1
                seconds = delay(UNTIL_CANCELLED, self._failures) or 0.0
                self._health.set(self._part, False, str(error))
                logger.warning("projection interrupted", part=self._part, reason=str(error), again_in_seconds=seconds)
                await asyncio.sleep(seconds)

    async def _write(self) -> None:
        """Hold the writer's lock and apply records until the lock is to be released."""
        with self._report_after_delay(True, "standing by: another process writes the tables") as standing_by:
            async with self._stand_by.writer_lock() as lock:
                standing_by.cancel()
                with self._report_after_delay(False, "waiting for Kafka: is it running?") as waiting:
                    source = f"pappus/{self._database.schema}"
                    async with (
                        self._event_log.reader(self.topics) as reader,
                        self._event_log.publisher(source) as publisher,
                    ):
                        async with lock.connection.transaction():
                            await self._check_fold_version(lock.connection)
                            next_offsets = await positions.start(lock.connection, reader)
                        await reader.start_at(next_offsets)
                        waiting.cancel()
                        self._failures = 0
                        self._health.set(self._part, True)
                        fold = ProjectionBatch(self._database.schema, self._projectors, publisher, self._keep_traces)
                        try:
                            await self._fold(lock, fold, reader, dict(next_offsets))
                        finally:
                            self._forget_measures()  # another process measures now, or this one again

    async def _check_fold_version(self, transaction: Transaction) -> None:
        older = await check_fold_version(transaction, self._database.schema, self._fold_version)
        self._health.set(f"tables {self._database.schema}", not older, older)

    @contextmanager
    def _report_after_delay(self, ok: bool, detail: str) -> Iterator[asyncio.TimerHandle]:
        """Report this state after LASTS_SECONDS unless the timer is cancelled: short waits hide no earlier failure."""
        timer = asyncio.get_running_loop().call_later(LASTS_SECONDS, self._health.set, self._part, ok, detail)
        try:
            yield timer
        finally:
            timer.cancel()

    async def _fold(
        self, lock: WriterLock, fold: ProjectionBatch, reader: LogReader, next_offsets: dict[TopicPartition, int]
    ) -> None:
        measured = -LAG_EVERY_SECONDS
        forgotten = -FORGET_EVERY_SECONDS
        while await lock.may_keep():
            records = await reader.poll(POLL_SECONDS)
            if records:
                with PROJECTION_SECONDS.labels(self._database.schema).time():
                    await fold.batch(lock.connection, records)
                next_offsets.update({record.topic_partition: record.offset + 1 for record in records})
            if time.monotonic() - measured >= LAG_EVERY_SECONDS:
                measured = time.monotonic()
                await self._measure_lag(reader, next_offsets)
            if self._keep_traces and time.monotonic() - forgotten >= FORGET_EVERY_SECONDS:
                forgotten = time.monotonic()
                await traces.forget_old(lock.connection)

    def _forget_measures(self) -> None:
        """Show no lag: what was measured last would stand there as long as another process writes."""
        OLDEST_WAITING_SECONDS.labels(self._part).set(0)
        for topic in self.topics:
            PROJECTION_LAG.labels(self._database.schema, topic).set(0)

    async def _measure_lag(self, reader: LogReader, next_offsets: dict[TopicPartition, int]) -> None:
        lag = dict.fromkeys(self.topics, 0)
        ends = await reader.end_offsets()
        for partition, end in ends.items():
            lag[partition.topic] += end - next_offsets[partition]
        for topic, events in lag.items():
            PROJECTION_LAG.labels(self._database.schema, topic).set(events)
        oldest = 0.0
        for partition, end in ends.items():
            if end > next_offsets[partition]:
                record = await reader.record_at(partition, next_offsets[partition])
                if record is not None:
                    oldest = max(oldest, time.time() - record.timestamp_ms / 1000)
        OLDEST_WAITING_SECONDS.labels(self._part).set(oldest)


async def wait_until_caught_up(
    event_log: EventLog, database: Database, topics: Sequence[str], timeout_seconds: float
) -> None:
    """Wait until the tables show everything that is on these topics now.

    Raises:
        TransientError: they did not in time, or the log or PostgreSQL is away.
    """
    await _wait_for(database, await event_log.end_offsets(topics), timeout_seconds)


async def wait_until_projected(database: Database, records: Sequence[Record], timeout_seconds: float) -> None:
    """Wait until the tables show these records, as far as their topics are folded into this schema at all.

    Raises:
        TransientError: they did not in time, or PostgreSQL is away.
    """
    known = positions.from_rows(await database.fetch(positions.READ))
    ends: dict[TopicPartition, int] = {}
    for record in records:
        if record.topic_partition in known:
            ends[record.topic_partition] = max(record.offset + 1, ends.get(record.topic_partition, 0))
    await _wait_for(database, ends, timeout_seconds)


async def _wait_for(database: Database, ends: Mapping[TopicPartition, int], timeout_seconds: float) -> None:
    behind: dict[TopicPartition, int] = {}

    async def there() -> bool | None:
        known = positions.from_rows(await database.fetch(positions.READ))
        behind.clear()
        for partition, end in ends.items():
            position = known.get(partition)
            if position is None or position.next_offset < end:  # without a row, no projection has ever started
                behind[partition] = end - (position.next_offset if position else 0)
        return None if behind else True

    if not await database.wait_until(there, timeout_seconds):
        missing = ", ".join(
            f"{partition.topic}[{partition.partition}] by {events}" for partition, events in sorted(behind.items())
        )
        raise TransientError(
            f"After {timeout_seconds:g} s the tables of {database.schema} are still behind: {missing}."
            " Does a process with its projection run? See `pappus status`."
        )
