"""A file that people change while a process runs: it is read again whenever it was written."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from shared.runtime.errors import PappusError
from shared.runtime.health import Health

LOOK_SECONDS = 1.0


class FollowedFile:
    """Hands a file to `take` at the first look, and again after each change. Without a path it does nothing.

    `take` returns a sentence for each thing in the file that does not count, and raises PappusError if the file cannot
    be used. Either turns the health of `part` red, until the file is written again; what was taken before stays.
    """

    def __init__(
        self, path: Path | None, take: Callable[[Path], Awaitable[Sequence[str]]], health: Health, part: str
    ) -> None:
        self._path = path
        self._take = take
        self._health = health
        self._part = part
        self._seen: tuple[int, ...] | None = None

    async def follow(self) -> None:
        """Look at the file every LOOK_SECONDS until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Take the file if it was written since the last look."""
        seen = self._stamp()
        if self._path is None or seen == self._seen:
            return
        try:
            complaints = await self._take(self._path)
        except PappusError as error:
            complaints = [str(error)]
        self._seen = seen
        self._health.set(self._part, not complaints, " ".join(complaints))

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else ()
