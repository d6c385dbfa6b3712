"""Mends how faust-streaming 0.15.3 ends the recovery of its tables; belongs to shared.faust_app.

Faust lets the stream's partitions flow again, seeks, and only then resumes flow control, which empties the agents'
queues: an event that was fetched in between is dropped, and its offset passed over by the next commit. Measured: one
event lost in 4 of 25 restarts with a backlog. Here the partitions flow again last.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery


class LosslessRecovery(Recovery):
    """Recovery whose end drops no event."""

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """As inherited, with the stream's partitions resumed after the queues were emptied. Raises what it raises when
        another rebalance has begun; then nothing is resumed."""
        partitions: set[Any] = set()
        with _instead(self.app.consumer, "resume_partitions", partitions.update):
            await super().on_recovery_completed(generation_id)
        if partitions:
            self.app.consumer.resume_partitions(partitions)


class LosslessTableManager(TableManager):
    """Faust's table manager with that recovery."""

    @property
    def recovery(self) -> Recovery:
        """The recovery service of this manager."""
        if self._recovery is None:
            self._recovery = LosslessRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


@contextmanager
def _instead(owner: Any, method: str, other: Any) -> Iterator[None]:
    """`owner` answers `method` with `other` for a while."""
    setattr(owner, method, other)
    try:
        yield
    finally:
        delattr(owner, method)
