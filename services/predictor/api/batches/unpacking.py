"""How much of archives is unpacked in memory: within a request, and of all requests at once."""

import asyncio
from types import TracebackType
from typing import Self

from services.predictor.api.batches.zips import SentFile, ZipLimits, unpack
from shared.http.problems import Problem

AT_ONCE = 2
"""So many requests of a replica have unpacked archives in memory at once: with the limit of each and the room of all
bodies less than half of what a container has."""
LONGEST_WAIT_SECONDS = 10.0


class Unpacking:
    """The archives of one request, which share `limits`. The first one waits for one of the `turns`; it is given back
    when the request is done with the files."""

    def __init__(self, limits: ZipLimits, turns: asyncio.Semaphore) -> None:
        self.limits = limits
        self._turns = turns
        self._has_turn = False
        self._left = limits.longest_bytes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_turn:
            self._turns.release()

    async def unpack(self, archive: bytes) -> tuple[SentFile, ...]:
        """Unpack in a thread: it takes a second for a hundred megabytes. Raises Problem: as `unpack`, or 503 if other
        requests keep their turns."""
        if not self._has_turn:
            await self._take_turn()
        files = await asyncio.to_thread(lambda: tuple(unpack(archive, self.limits, self._left)))
        self._left -= sum(len(file.data) for file in files)
        return files

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            detail = "Archives of other requests are being unpacked. Send the request again in a moment."
            raise Problem(503, "overloaded", detail, retry_after_seconds=1) from error
        self._has_turn = True
