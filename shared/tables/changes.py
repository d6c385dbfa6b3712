"""Notifications of a projection's commits: one LISTEN connection per process, any number of subscribers."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from shared.runtime.errors import TransientError
from shared.runtime.retry import UNTIL_CANCELLED, delay
from shared.runtime.telemetry import logger
from shared.tables.postgres import Connect, transient_errors


class Changes:
    """One subscription. A change between two waits ends the next wait at once. `regardless_of` are topics whose events
    change nothing for the one who waits."""

    def __init__(self, regardless_of: Collection[str] = ()) -> None:
        self._regardless_of = frozenset(regardless_of)
        self._happened = asyncio.Event()

    def set(self, topics: Collection[str] = ()) -> None:
        """Record a change by events of these topics; none: by anything."""
        if not topics or not self._regardless_of.issuperset(topics):
            self._happened.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait for a change since the last wait. Return False after `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._happened.wait()
        except TimeoutError:
            return False
        self._happened.clear()
        return True

    async def wait_until_quiet(self, quiet_seconds: float, longest_seconds: float) -> None:
        """Wait until no change has come for `quiet_seconds`, and no longer than `longest_seconds`: for work that can
        wait until many changes are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_seconds):
                while await self.wait(quiet_seconds):
                    pass


class ChangeFeed:
    """Listens to one channel until cancelled. After a lost connection it reconnects and wakes all subscribers, since a
    notification may have been missed."""

    def __init__(self, connect: Connect, channel: str) -> None:
        self._connect = connect
        self._channel = channel
        self._subscribers: set[Changes] = set()
        self._listening = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, connect: Connect, channel: str) -> AsyncIterator["ChangeFeed"]:
        """Open a feed that listens already, until the context ends."""
        feed = cls(connect, channel)
        task = asyncio.create_task(feed._listen_until_cancelled(), name=f"listen {channel}")
        try:
            await feed._listening.wait()
            yield feed
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextmanager
    def subscribe(self, regardless_of: Collection[str] = ()) -> Iterator[Changes]:
        """Subscribe until the context ends."""
        changes = Changes(regardless_of)
        self._subscribers.add(changes)
        try:
            yield changes
        finally:
            self._subscribers.discard(changes)

    def _wake(self, *notification: object) -> None:
        """`notification`: connection, process, channel, and the topics, with commas between them; nothing: anything
        may have changed."""
        topics = str(notification[3]).split(",") if len(notification) > 3 and notification[3] else ()
        for changes in self._subscribers:
            changes.set(topics)

    async def _listen_until_cancelled(self) -> None:
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
        """Listen until the connection is lost. Raises TransientError if it cannot be made."""
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
