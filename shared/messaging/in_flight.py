"""The records that a handler has polled and not committed yet, per partition, and which of them may be started."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from shared.messaging.event_log import GroupConsumer, Record, TopicPartition
from shared.messaging.failures import Failures
from shared.messaging.offsets import Offsets
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger

CAPACITY = 256
"""How many records one process has in flight at most: so many are suspect after it was killed."""


class PartitionState:
    """One partition while it is assigned. After a rebalance a new object replaces it; only work that was still in
    flight writes to the old one."""

    def __init__(self) -> None:
        self.offsets = Offsets()
        self.failures: Failures | None = None
        """None until the committed metadata was read; no record is started before."""
        self.committed: tuple[int, str] | None = None
        self._waiting: deque[Record] = deque()
        self._times: dict[int, int] = {}
        self._started = 0
        self._suspect_before = 0

    def add(self, record: Record) -> None:
        """Add a polled record."""
        self.offsets.add(record.offset)
        self._times[record.offset] = record.timestamp_ms
        self._waiting.append(record)

    def drop_waiting(self) -> None:
        """Drop the records that were not started; they are delivered again."""
        for record in self._waiting:
            self._times.pop(record.offset, None)
        self._waiting.clear()

    def startable(self) -> Iterator[Record]:
        """Yield the records to start now: all that wait, or one at a time if one of those ahead has raised before."""
        while self._waiting and self.failures is not None and not (self.failures.has_failures and self._started):
            self._started += 1
            yield self._waiting.popleft()

    def take_over(self, committed: tuple[int, str] | None, failures: Failures) -> None:
        """Begin to work on the partition with what was committed. If the process before was killed, the offsets that it
        may have had in flight are suspect."""
        self.committed = committed
        self._suspect_before = committed[0] + CAPACITY if committed and failures.open else 0
        self.failures = failures.taken_over()

    def suspect(self, offset: int) -> bool:
        """Whether this offset may be the one that ended the process before."""
        return offset < self._suspect_before

    def deaths(self, offset: int) -> int:
        """How many processes ended while they handled this offset, as far as that was noted."""
        return self.known_failures.deaths.get(offset, 0)

    def begin(self, offset: int) -> None:
        """Note that the handling of this offset begins; commit it before that."""
        self.failures = self.known_failures.began(offset)

    def end(self, offset: int) -> None:
        """Note that the handling ended, in any way: the process lives."""
        self.failures = self.known_failures.ended(offset)

    def close(self) -> None:
        """Note that this process works on the partition no longer."""
        self.failures = self.known_failures.closed()

    def finish(self, offset: int, *, dead: bool) -> None:
        """Mark a record as handled, or as dead-lettered."""
        self._started -= 1
        self._times.pop(offset, None)
        self.offsets.finish(offset)
        self.failures = self.known_failures.finished(offset, dead)

    def raised(self, offset: int) -> int:
        """Count an exception at this offset; return the count."""
        self.failures = self.known_failures.raised(offset)
        return self.failures.exceptions[offset]

    @property
    def oldest_ms(self) -> int | None:
        """The time of the oldest record that is not finished, in milliseconds since 1970; None if all are."""
        return min(self._times.values(), default=None)

    @property
    def known_failures(self) -> Failures:
        """The failures known so far; none if the metadata was not read yet."""
        return self.failures or Failures()

    def to_commit(self) -> tuple[int, str] | None:
        """Return offset and metadata, if they differ from what is committed."""
        offset = self.offsets.committable
        if offset is None or self.failures is None:
            return None
        wanted = (offset, self.failures.to_metadata())
        return None if wanted == self.committed else wanted


class InFlight:
    """All partitions of one group member."""

    def __init__(self, consumer: GroupConsumer) -> None:
        self._consumer = consumer
        self._taken: dict[TopicPartition, PartitionState] = {}
        self._committing = asyncio.Lock()

    @property
    def unfinished(self) -> int:
        """How many records are unfinished, plus the finished ones behind an unfinished one."""
        return sum(state.offsets.unfinished for state in self._taken.values())

    @property
    def oldest_seconds(self) -> float:
        """The age of the oldest record that is not finished; 0 if all are."""
        times = [oldest for state in self._taken.values() if (oldest := state.oldest_ms) is not None]
        return max(0.0, time.time() - min(times) / 1000) if times else 0.0

    @property
    def partitions(self) -> list[TopicPartition]:
        """Partitions that delivered records since the last rebalance."""
        return list(self._taken)

    def add(self, records: Sequence[Record]) -> None:
        """Add polled records. Call it without an await after the poll, so that no rebalance comes in between."""
        for record in records:
            self._taken.setdefault(record.topic_partition, PartitionState()).add(record)

    async def load_committed(self) -> None:
        """Read the committed metadata of new partitions, and commit that they are worked on. Raises TransientError."""
        new = {partition: state for partition, state in self._taken.items() if state.failures is None}
        if not new:
            return
        committed = await self._consumer.committed_offsets()
        skipped = await self._consumer.skipped_offsets()
        for partition, state in new.items():
            offset, metadata = committed.get(partition, (0, ""))
            failures = Failures.from_metadata(metadata)
            if skipped.get(partition, -1) >= offset:
                failures = replace(failures, dead_letters_in_a_row=0)
            state.take_over(committed.get(partition), failures)
        await self.commit()  # before a record is handled, so that the next process knows whether this one was killed

    def startable(self) -> Iterator[tuple[PartitionState, Record]]:
        """Yield the records to start now, with their partitions."""
        for state in list(self._taken.values()):
            for record in state.startable():
                yield state, record

    def close(self) -> None:
        """Note that this process works on its partitions no longer; the next commit says so."""
        for state in self._taken.values():
            if state.failures is not None:
                state.close()

    def stop_starting(self) -> None:
        """Drop what was not started, because partitions are being revoked; it is delivered again."""
        for state in self._taken.values():
            state.drop_waiting()

    def forget(self) -> None:
        """Forget all partitions: they were revoked."""
        self._taken = {}

    async def commit(self) -> None:
        """Commit each partition up to its lowest unfinished offset. Raises TransientError."""
        async with self._committing:
            by_metadata: dict[str, dict[TopicPartition, int]] = {}
            wanted = {partition: found for partition, state in self._taken.items() if (found := state.to_commit())}
            for partition, (offset, metadata) in wanted.items():
                by_metadata.setdefault(metadata, {})[partition] = offset
            taken_now = dict(self._taken)
            for metadata, positions in by_metadata.items():
                await self._consumer.commit(positions, metadata)
                for partition in positions:
                    taken_now[partition].committed = wanted[partition]

    async def commit_finally(self, seconds: float) -> None:
        """Make the last commit before the end, within `seconds`; uncommitted records are delivered again."""
        self.close()
        try:
            async with asyncio.timeout(seconds):
                await self.commit()
        except (TransientError, TimeoutError) as error:
            logger.warning("the last commit failed; finished messages will be delivered again", reason=repr(error))
