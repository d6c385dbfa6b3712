"""The log in memory: partitions by the hash of the key, groups with rebalances and redelivery, and faults on demand."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event
from shared.contract.topics import dead_letter_topic
from shared.messaging.codec import decode, encode
from shared.messaging.event_log import Record, TopicPartition
from shared.messaging.tracing import SendSpan
from shared.runtime.errors import LogReplaced, PappusError, TransientError
from shared.testing.consumer_group import Members, MemoryGroup
from shared.testing.partitions import declared_topic, partitions_of

E = TypeVar("E", bound=Event)
OVERHEAD_BYTES = 200
"""Roughly what a record takes beside its key and its value."""


@dataclass
class _Stored:
    """One partition; records before `begins` have expired. None stands where a record was compacted away."""

    records: list[Record | None]
    begins: int = 0


class MemoryEventLog:
    """An `EventLog` in memory. While `away` is true, publishing, committing and asking raise TransientError and nothing
    is delivered."""

    def __init__(self) -> None:
        self.away = False
        self._partitions: dict[TopicPartition, _Stored] = defaultdict(lambda: _Stored([]))
        self._changed = asyncio.Event()
        self._groups: dict[str, Members] = {}
        self._failures: list[bool] = []

    # What tests look at and change.

    def events(self, event: type[E]) -> list[E]:
        """Return all events of one type, partition by partition."""
        return [cast("E", decode(event.topic, record.value)) for record in self.records(event.topic)]

    def records(self, topic: str) -> list[Record]:
        """Return all records of a topic, partition by partition."""
        stored = (record for partition in partitions_of([topic]) for record in self._partitions[partition].records)
        return [record for record in stored if record is not None]

    def dead_letters(self, topic: str) -> list[DeadLetter]:
        """Return the dead letters on the dead-letter topic of `topic`."""
        found = self.records(dead_letter_topic(topic))
        return [DeadLetter.model_validate_json(record.value or b"") for record in found]

    def append(
        self, topic: str, key: str | None, value: bytes | None, partition: int | None = None, event: Event | None = None
    ) -> Record:
        """Append any bytes, valid or not; `event` is what they say, if they say something."""
        span = SendSpan(topic, key, event)
        number = zlib.crc32((key or "").encode()) % len(partitions_of([topic])) if partition is None else partition
        stored = self._partitions[TopicPartition(topic, number)]
        offset = stored.begins + len(stored.records)
        record = Record(topic, number, offset, key, value, tuple(span.headers()))
        span.end()
        stored.records.append(record)
        self.wake()
        return record

    def fail_next_publish(self, times: int = 1, *, although_written: bool = False) -> None:
        """Have the next publishes raise TransientError: before anything is written, or although everything was."""
        self._failures.extend([although_written] * times)

    def expire(self, partition: TopicPartition, before: int) -> None:
        """Remove the records before an offset, as retention does."""
        stored = self._partitions[partition]
        del stored.records[: before - stored.begins]
        stored.begins = before

    def compact(self, topic: str) -> None:
        """Remove every record that a later one of the same key replaces, as compaction does in the end."""
        for partition in partitions_of([topic]):
            records = self._partitions[partition].records
            last = {record.key: record.offset for record in records if record is not None}
            records[:] = [record if record and record.offset == last[record.key] else None for record in records]

    def clear(self) -> None:
        """Lose everything: from now on this is another log."""
        self._partitions.clear()

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the committed offsets of a group."""
        return {partition: offset for partition, (offset, _) in self._members(group).committed.items()}

    def skip(self, group: str) -> None:
        """Let a group go on after too many dead letters, as `pappus dlq skip` does."""
        self._members(group).skipped = self.committed(group)

    # The log.

    @asynccontextmanager
    async def publisher(self, source: str, timeout_seconds: float = 30.0) -> AsyncIterator["MemoryPublisher"]:  # noqa: ARG002
        """See EventLog."""
        yield MemoryPublisher(self, source)

    @asynccontextmanager
    async def group(self, group: str, topics: Sequence[str], member: str | None = None) -> AsyncIterator[MemoryGroup]:
        """See EventLog."""
        members = self._members(group)
        joined = MemoryGroup(self, members, topics, member)
        await members.join(joined)
        try:
            yield joined
        finally:
            await members.leave(joined)

    @asynccontextmanager
    async def reader(self, topics: Sequence[str]) -> AsyncIterator["MemoryReader"]:
        """See EventLog."""
        yield MemoryReader(self, topics)

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """See EventLog."""
        self.answer()
        return {partition: self.end(partition) for partition in partitions_of(topics)}

    # For the readers and members.

    def begin(self, partition: TopicPartition) -> int:
        """Return the first offset that has not expired."""
        return self._partitions[partition].begins

    def end(self, partition: TopicPartition) -> int:
        """Return the offset that the next record will get."""
        stored = self._partitions[partition]
        return stored.begins + len(stored.records)

    def at(self, partition: TopicPartition, offset: int) -> Record | None:
        """Return the record at an offset; None if it has expired, was compacted away, or is not written yet."""
        stored = self._partitions[partition]
        index = offset - stored.begins
        return stored.records[index] if 0 <= index < len(stored.records) else None

    def take(self, positions: dict[TopicPartition, int], max_records: int) -> list[Record]:
        """Return at most `max_records` from these positions on, and advance the positions."""
        state: list[Record] = []
        for partition, position in positions.items():
            while not self.away and len(state) < max_records and position < self.end(partition):
                if (record := self.at(partition, position)) is not None:
                    state.append(record)
                position += 1
            positions[partition] = position
        return state

    def publish_failure(self) -> bool | None:
        """Return None if the next publish succeeds; else whether it fails although everything was written."""
        return self._failures.pop(0) if self._failures else None

    def answer(self) -> None:
        """Raise TransientError while the log is away."""
        if self.away:
            raise TransientError("The log in memory is set to be away.")

    def wake(self) -> None:
        """Have every waiting poll look again, since the log has changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, timeout_seconds: float) -> bool:
        """Wait for a change of the log; return False when the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _members(self, group: str) -> Members:
        return self._groups.setdefault(group, Members(self))


class MemoryPublisher:
    """A `shared.messaging.event_log.Publisher`."""

    def __init__(self, event_log: MemoryEventLog, source: str) -> None:
        self._event_log = event_log
        self._source = source

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        """See Publisher."""
        return await self._write([(event.topic, event.key, encode(event, self._source), event) for event in events])

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        """See Publisher."""
        await self._write(
            [(dead_letter_topic(dead_letter.topic), dead_letter.key, dead_letter.model_dump_json().encode(), None)]
        )

    async def _write(self, messages: Sequence[tuple[str, str | None, bytes, Event | None]]) -> Sequence[Record]:
        if not messages:
            return []
        await asyncio.sleep(0)  # as the real one, it lets others run
        self._event_log.answer()
        failure = self._event_log.publish_failure()
        if failure is False:
            raise TransientError("The log in memory is set to fail this publish.")
        for topic, key, value, _ in messages:
            if len(value) + len(key or "") + OVERHEAD_BYTES > declared_topic(topic).max_bytes:
                raise PappusError(f"An event on {topic} is too large for the log in memory.")
        records = [self._event_log.append(topic, key, value, event=event) for topic, key, value, event in messages]
        if failure is True:
            raise TransientError("The log in memory is set to fail this publish although it was written.")
        return records


class MemoryReader:
    """A `shared.messaging.event_log.LogReader`."""

    def __init__(self, event_log: MemoryEventLog, topics: Sequence[str]) -> None:
        self._event_log = event_log
        self._topics = tuple(topics)
        self._positions: dict[TopicPartition, int] = {}

    async def partitions(self) -> Sequence[TopicPartition]:
        """See LogReader."""
        self._event_log.answer()
        return partitions_of(self._topics)

    async def start_at(self, positions: Mapping[TopicPartition, int]) -> None:
        """See LogReader."""
        self._positions = {
            partition: positions.get(partition, self._event_log.begin(partition))
            for partition in partitions_of(self._topics)
        }

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """See LogReader."""
        for partition, position in self._positions.items():
            if not self._event_log.begin(partition) <= position <= self._event_log.end(partition):
                raise LogReplaced(
                    f"The log was replaced: nothing stands at {partition}@{position}. Run `pappus replay`."
                )
        if not (found := self._event_log.take(self._positions, max_records)) and await self._event_log.change(
            timeout_seconds
        ):
            found = self._event_log.take(self._positions, max_records)
        await asyncio.sleep(0)
        return found

    async def beginning_offsets(self) -> Mapping[TopicPartition, int]:
        """See LogReader."""
        self._event_log.answer()
        return {partition: self._event_log.begin(partition) for partition in partitions_of(self._topics)}

    async def end_offsets(self) -> Mapping[TopicPartition, int]:
        """See LogReader."""
        return await self._event_log.end_offsets(self._topics)

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        """See LogReader."""
        self._event_log.answer()
        return self._event_log.at(partition, offset)
