"""How many messages of gRPC may arrive at once. A message is there as a whole or not at all: while it comes it cannot
be counted, so each is taken to be as long as it may be."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.http.limits import BODY_BYTES_PER_SECOND, BODY_SECONDS, too_slow

ARRIVING_BYTES = 128_000_000
"""What messages that arrive may take in memory, beside the bodies that are there (BODIES_BYTES)."""
AnAnswer = TypeVar("AnAnswer")


class Arrivals:
    """Lets messages arrive in turn. Each has BODY_SECONDS, and longer while no other one waits for its place, up to
    what BODY_BYTES_PER_SECOND gives the longest."""

    def __init__(self, longest_bytes: int) -> None:
        """`longest_bytes`: how long a message may be."""
        self._places = asyncio.Semaphore(max(1, ARRIVING_BYTES // longest_bytes))
        self._seconds = BODY_SECONDS + longest_bytes / BODY_BYTES_PER_SECOND
        self._began: dict[asyncio.Timeout, float] = {}

    async def read(self, read: Callable[[], Awaitable[AnAnswer]]) -> AnAnswer:
        """Return what `read` does, once it is this message's turn. Raises Problem (408) if it comes too slowly."""
        loop = asyncio.get_running_loop()
        await self._place()
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                self._began[deadline] = loop.time()
                return await read()
        except TimeoutError as error:
            raise too_slow() from error
        finally:
            self._began.pop(deadline, None)
            self._places.release()

    async def _place(self) -> None:
        """Wait for a place. The message that has had one longest gives it up after BODY_SECONDS."""
        while True:
            oldest = next(iter(self._began), None)
            until = None if oldest is None else self._began[oldest] + BODY_SECONDS
            try:
                async with asyncio.timeout_at(until):
                    await self._places.acquire()
                    return
            except TimeoutError:
                if oldest is not None and self._began.pop(oldest, None) is not None and not oldest.expired():
                    oldest.reschedule(asyncio.get_running_loop().time())
