"""What a handler has taken and not committed yet, partition by partition, and which of it may be started now."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

from shared.messaging.event_log import GroupConsumer, Record, TopicPartition
from shared.messaging.failures import Failures
from shared.messaging.offsets import Offsets
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger


class PartitionState:
    """One partition for as long as it is assigned. After a rebalance there is a new one, and the old one is written
    to by nobody but the work that was still in flight."""

    def __init__(self) -> None:
        self.offsets = Offsets()
        self.failures: Failures | None = None
        """None until the committed note was read; before that nothing is started."""
        self.committed: tuple[int, str] | None = None
        self._waiting: deque[Record] = deque()
        self._started = 0

    def add(self, record: Record) -> None:
        """A record came."""
        self.offsets.add(record.offset)
        self._waiting.append(record)

    def drop_waiting(self) -> None:
        """Start nothing more; what waits comes again."""
        self._waiting.clear()

    def startable(self) -> Iterator[Record]:
        """Records to start now: all that wait, or one at a time if one of those ahead has raised before."""
        while self._waiting and self.failures is not None and not (self.failures.has_failures and self._started):
            self._started += 1
            yield self._waiting.popleft()

    def finish(self, offset: int, *, dead: bool) -> None:
        """A record was handled, or became a dead letter."""
        self._started -= 1
        self.offsets.finish(offset)
        self.failures = self.known_failures.finished(offset, dead)

    def raised(self, offset: int) -> int:
        """A handler raised at this offset; gives how often that is now."""
        self.failures = self.known_failures.raised(offset)
        return self.failures.exceptions[offset]

    @property
    def known_failures(self) -> Failures:
        """What is remembered; nothing if the note was not read yet."""
        return self.failures or Failures()

    def to_commit(self) -> tuple[int, str] | None:
        """Offset and note, if they differ from what is committed."""
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
        """Records taken and not finished, and those finished behind them."""
        return sum(state.offsets.unfinished for state in self._taken.values())

    @property
    def partitions(self) -> list[TopicPartition]:
        """Partitions that delivered something since the last rebalance."""
        return list(self._taken)

    def add(self, records: Sequence[Record]) -> None:
        """Records came. Called without any await after the poll, so that a rebalance cannot come between."""
        for record in records:
            self._taken.setdefault(record.topic_partition, PartitionState()).add(record)

    async def load_committed(self) -> None:
        """Read the committed notes of partitions that are new. Raises TransientError."""
        new = {partition: state for partition, state in self._taken.items() if state.failures is None}
        if not new:
            return
        committed = await self._consumer.committed_offsets()
        for partition, state in new.items():
            state.committed = committed.get(partition)
            state.failures = Failures.from_metadata(state.committed[1] if state.committed else "")

    def startable(self) -> Iterator[tuple[PartitionState, Record]]:
        """What to start now."""
        for state in list(self._taken.values()):
            for record in state.startable():
                yield state, record

    def stop_starting(self) -> None:
        """The partitions are being taken away: what has not been started comes again."""
        for state in self._taken.values():
            state.drop_waiting()

    def forget(self) -> None:
        """The partitions were taken away."""
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
        """The last commit before the end, for at most `seconds`; what it does not manage comes again."""
        try:
            async with asyncio.timeout(seconds):
                await self.commit()
        except (TransientError, TimeoutError) as error:
            logger.warning("the last commit failed; finished messages come again", reason=repr(error))
