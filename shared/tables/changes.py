"""Waking up when a projection has committed: one LISTEN connection per process, any number of subscribers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from shared.runtime.errors import TransientError
from shared.runtime.retry import UNTIL_CANCELLED, delay
from shared.runtime.telemetry import logger
from shared.tables.postgres import Connect, transient_errors


class Changes:
    """One subscription. What happens between two waits ends the next wait at once."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()

    def notice(self) -> None:
        """Something changed."""
        self._happened.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """True as soon as something has changed since the last wait; False when the time is over."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._happened.wait()
        except TimeoutError:
            return False
        self._happened.clear()
        return True


class ChangeFeed:
    """Listens to one channel, for ever: a lost connection is made again, and then everybody is woken, since a
    notification may have been missed."""

    def __init__(self, connect: Connect, channel: str) -> None:
        self._connect = connect
        self._channel = channel
        self._subscribers: set[Changes] = set()
        self._listening = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, connect: Connect, channel: str) -> AsyncIterator["ChangeFeed"]:
        """Listens before it gives the feed, and until the context ends."""
        feed = cls(connect, channel)
        task = asyncio.create_task(feed._listen_for_ever(), name=f"listen {channel}")
        try:
            await feed._listening.wait()
            yield feed
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextmanager
    def subscribe(self) -> Iterator[Changes]:
        """A subscription that lasts as long as the context."""
        changes = Changes()
        self._subscribers.add(changes)
        try:
            yield changes
        finally:
            self._subscribers.discard(changes)

    def _wake(self, *_notification: object) -> None:
        for changes in self._subscribers:
            changes.notice()

    async def _listen_for_ever(self) -> None:
        attempt = 0
        while True:
            try:
                await self._listen()
                attempt = 0
            except TransientError as error:
                attempt += 1
                logger.warning("cannot listen for changes", channel=self._channel, reason=str(error))
                await asyncio.sleep(delay(UNTIL_CANCELLED, attempt) or 0)

    async def _listen(self) -> None:
        """Listen until the connection is lost. Raises TransientError if there is none to be had."""
        connection = await self._connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda *_: lost.set())
            with transient_errors():
                await connection.add_listener(self._channel, self._wake)
            self._listening.set()
            self._wake()
            await lost.wait()
        finally:
            connection.terminate()
        logger.warning("the connection that listens for changes was lost", channel=self._channel)
