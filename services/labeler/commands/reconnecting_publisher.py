"""A publisher that works without a connection: until Kafka is reachable, every attempt fails at once."""

import asyncio
from collections.abc import Sequence

from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event
from shared.messaging.event_log import EventLog, Publisher, Record
from shared.runtime.errors import NotReady
from shared.runtime.health import Health


class ReconnectingPublisher:
    """A Publisher that is connected while `stay_connected` runs."""

    def __init__(self) -> None:
        self._publisher: Publisher | None = None

    async def stay_connected(self, event_log: EventLog, source: str, health: Health) -> None:
        """Connect and keep the connection until cancelled. Raises the errors of the event log if it cannot connect."""
        try:
            async with event_log.publisher(source) as self._publisher:
                health.set("publisher", True)
                await asyncio.get_running_loop().create_future()
        finally:
            self._publisher = None

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        """Publish as `Publisher` does. Raises NotReady without a connection; nothing is sent then."""
        return await self._connected().publish(events)

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        """Publish as `Publisher` does."""
        await self._connected().publish_dead_letter(dead_letter)

    def _connected(self) -> Publisher:
        if self._publisher is None:
            raise NotReady("The log is unavailable, so nothing was sent. Try again in a moment.")
        return self._publisher
