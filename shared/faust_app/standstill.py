"""Which partitions stand still: records wait there, and the committed offset does not move.

Faust has checks of its own for this, and they say it of streams that were idle: while a record is fetched and not taken
yet, they compare the present with the time of the last record or commit, which lies as far back as nothing was sent
(`verify_event_path` in faust.transport.drivers.aiokafka, 0.15.3). They are off, and this is in their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.messaging.event_log import TopicPartition
from shared.messaging.kafka import GroupPosition


@dataclass
class Standstill:
    """Notices partitions at which records wait for longer than `seconds` while none is acknowledged."""

    seconds: float
    _waiting: dict[TopicPartition, tuple[int, float]] = field(default_factory=dict)

    def look(self, positions: Mapping[TopicPartition, GroupPosition], now: float) -> dict[TopicPartition, int]:
        """Return the partitions that stand still, and how many records wait in each. `now` is in seconds of any clock
        that never goes back."""
        behind = {partition: position for partition, position in positions.items() if position.end > position.next}
        self._waiting = {place: self._since(place, position.next, now) for place, position in behind.items()}
        return {
            partition: position.end - position.next
            for partition, position in behind.items()
            if now - self._waiting[partition][1] > self.seconds
        }

    def forget(self) -> None:
        """Begin anew: until now no progress was possible."""
        self._waiting.clear()

    def _since(self, partition: TopicPartition, offset: int, now: float) -> tuple[int, float]:
        """Return the offset that is waited for, and since when."""
        known = self._waiting.get(partition)
        return known if known is not None and known[0] == offset else (offset, now)
