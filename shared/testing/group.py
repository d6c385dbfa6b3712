"""Consumer groups in memory: every join and leave revokes all partitions and deals them out again, as an eager
rebalance."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.messaging.event_log import Partition, Record

if TYPE_CHECKING:
    from shared.testing.log import MemoryLog

DRAIN_SECONDS = 20.0


class Members:
    """The members of one group, and what the group has committed."""

    def __init__(self, log: "MemoryLog") -> None:
        self.committed: dict[Partition, tuple[int, str]] = {}
        self._log = log
        self._members: list[MemoryGroup] = []
        self._one_at_a_time = asyncio.Lock()

    async def join(self, member: "MemoryGroup") -> None:
        """A member comes."""
        await self._rebalance([*self._members, member])

    async def leave(self, member: "MemoryGroup") -> None:
        """A member goes; what it did not commit comes again."""
        member.positions = {}
        await self._rebalance([other for other in self._members if other is not member])

    async def _rebalance(self, members: "list[MemoryGroup]") -> None:
        async with self._one_at_a_time:
            staying = [member for member in self._members if member in members]
            await asyncio.gather(*(member.revoke() for member in staying))
            self._members = members
            subscribed = sorted({place for member in members for place in member.subscribed})
            for member in members:
                member.positions = {}
                member.paused = set()
            for turn, place in enumerate(subscribed):
                able = [member for member in members if place in member.subscribed]
                start = self.committed.get(place, (self._log.begin(place), ""))[0]
                able[turn % len(able)].positions[place] = start
        self._log.wake()


class MemoryGroup:
    """A `shared.messaging.event_log.GroupConsumer`."""

    def __init__(self, log: "MemoryLog", members: Members, topics: Sequence[str], member: str | None) -> None:
        from shared.testing.log import places

        self.subscribed = frozenset(places(topics))
        self.member = member
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self._log = log
        self._members = members
        self._drain: Callable[[], Awaitable[None]] | None = None

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        if not (found := self._take(max_records)) and await self._log.change(timeout_seconds):
            found = self._take(max_records)
        return found

    def _take(self, max_records: int) -> list[Record]:
        open_ones = {place: position for place, position in self.positions.items() if place not in self.paused}
        found = self._log.take(open_ones, max_records)
        self.positions.update(open_ones)
        return found

    async def commit(self, positions: Mapping[Partition, int], note: str = "") -> None:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        self._log.answer()
        for place, offset in positions.items():
            if place in self.positions or place in self._revoking:
                self._members.committed[place] = (offset, note)

    async def committed_notes(self) -> Mapping[Partition, tuple[int, str]]:
        """See GroupConsumer."""
        await asyncio.sleep(0)
        self._log.answer()
        return {place: found for place, found in self._members.committed.items() if place in self.positions}

    def on_revoke(self, drain: Callable[[], Awaitable[None]]) -> None:
        """See GroupConsumer."""
        self._drain = drain

    def pause(self, partitions: Sequence[Partition]) -> None:
        """See GroupConsumer."""
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        """See GroupConsumer."""
        self.paused.difference_update(partitions)
        self._log.wake()

    _revoking: frozenset[Partition] = frozenset()

    async def revoke(self) -> None:
        """The partitions are taken away, after the owner had its time to drain."""
        self._revoking, self.positions = frozenset(self.positions), {}
        try:
            if self._drain is not None:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._drain()
        except TimeoutError:
            pass  # as the real one: let go, what is in flight comes again
        finally:
            self._revoking = frozenset()
