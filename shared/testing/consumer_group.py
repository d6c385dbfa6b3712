"""Consumer groups in memory: every join and leave revokes all partitions and deals them out again, as an eager
rebalance."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from shared.messaging.event_log import Record, ReportMembership, TopicPartition
from shared.testing.partitions import partitions_of

DRAIN_SECONDS = 20.0


class PartitionStore(Protocol):
    """What a group needs of the log in memory."""

    def begin(self, partition: TopicPartition) -> int:
        """Return the first offset still there."""

    def take(self, positions: dict[TopicPartition, int], max_records: int) -> list[Record]:
        """Return records from these positions on, and advance the positions."""

    def answer(self) -> None:
        """Raise TransientError while the log is away."""

    def wake(self) -> None:
        """Report a change to those who wait for one."""

    async def change(self, timeout_seconds: float) -> bool:
        """Wait for a change; False after `timeout_seconds`."""


class Members:
    """The members of one group, and what the group has committed."""

    def __init__(self, event_log: PartitionStore) -> None:
        self.committed: dict[TopicPartition, tuple[int, str]] = {}
        self.skipped: dict[TopicPartition, int] = {}
        self._event_log = event_log
        self._members: list[MemoryGroup] = []
        self._one_at_a_time = asyncio.Lock()

    async def join(self, member: "MemoryGroup") -> None:
        """Let a member join."""
        await self._rebalance([*self._members, member])

    async def leave(self, member: "MemoryGroup") -> None:
        """Let a member leave; what it did not commit is delivered again."""
        member.positions = {}
        await self._rebalance([other for other in self._members if other is not member])

    async def _rebalance(self, members: "list[MemoryGroup]") -> None:
        async with self._one_at_a_time:
            staying = [member for member in self._members if member in members]
            await asyncio.gather(*(member.revoke() for member in staying))
            self._members = members
            subscribed = sorted({partition for member in members for partition in member.subscribed})
            for member in members:
                member.positions = {}
                member.paused = set()
            for turn, partition in enumerate(subscribed):
                able = [member for member in members if partition in member.subscribed]
                start = self.committed.get(partition, (self._event_log.begin(partition), ""))[0]
                able[turn % len(able)].positions[partition] = start
        self._event_log.wake()


class MemoryGroup:
    """A `shared.messaging.event_log.GroupConsumer`."""

    def __init__(self, event_log: PartitionStore, members: Members, topics: Sequence[str], member: str | None) -> None:
        self.subscribed = frozenset(partitions_of(topics))
        self.member = member
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self._event_log = event_log
        self._members = members
        self._drain: Callable[[], Awaitable[None]] | None = None

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        if not (found := self._take(max_records)) and await self._event_log.change(timeout_seconds):
            found = self._take(max_records)
        return found

    def _take(self, max_records: int) -> list[Record]:
        open_ones = {
            partition: position for partition, position in self.positions.items() if partition not in self.paused
        }
        found = self._event_log.take(open_ones, max_records)
        self.positions.update(open_ones)
        return found

    async def commit(self, positions: Mapping[TopicPartition, int], metadata: str = "") -> None:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        self._event_log.answer()
        for partition, offset in positions.items():
            if partition in self.positions or partition in self._revoking:
                self._members.committed[partition] = (offset, metadata)

    async def committed_offsets(self) -> Mapping[TopicPartition, tuple[int, str]]:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        self._event_log.answer()
        return {partition: found for partition, found in self._members.committed.items() if partition in self.positions}

    async def skipped_offsets(self) -> Mapping[TopicPartition, int]:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        self._event_log.answer()
        return self._members.skipped

    def on_revoke(self, drain: Callable[[], Awaitable[None]]) -> None:
        """See GroupConsumer."""
        self._drain = drain

    def on_membership(self, report: ReportMembership) -> None:
        """See GroupConsumer. In memory, a member has its place from the start."""
        report(True, "")

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """See GroupConsumer."""
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """See GroupConsumer."""
        self.paused.difference_update(partitions)
        self._event_log.wake()

    _revoking: frozenset[TopicPartition] = frozenset()

    async def revoke(self) -> None:
        """Take the partitions away, after the owner had its time to drain."""
        self._revoking, self.positions = frozenset(self.positions), {}
        try:
            if self._drain is not None:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._drain()
        except TimeoutError:
            pass  # as on Kafka: records in flight are delivered again
        finally:
            self._revoking = frozenset()
