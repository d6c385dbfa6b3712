"""Uploads go first: a person waits for them, and thousands of inserted rows may come in at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LONGEST_SECONDS = 0.1
"""So long the first in the line waits: uploads without end leave at least ten steps a second to all other work."""
QUIET_SECONDS = 0.25
"""So long after the last upload the others still wait: uploads come in series."""


class Precedence:
    """Knows whether uploads are in work in this process."""

    def __init__(self, longest_seconds: float = LONGEST_SECONDS, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._longest_seconds = longest_seconds
        self._quiet_seconds = quiet_seconds
        self._uploads = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._ending: asyncio.TimerHandle | None = None
        self._one_by_one = asyncio.Lock()

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Have precedence as long as the context."""
        self._uploads += 1
        self._quiet.clear()
        if self._ending is not None:
            self._ending.cancel()
        try:
            yield
        finally:
            self._uploads -= 1
            if not self._uploads:
                self._ending = asyncio.get_running_loop().call_later(self._quiet_seconds, self._quiet.set)

    async def give_way(self) -> None:
        """Wait in line until no upload is in work; the first in the line waits `longest_seconds` at most. Call it
        before each step of work that can wait. One goes on after the other, so that the next upload does not come
        behind all of them."""
        if self._quiet.is_set() and not self._one_by_one.locked():
            return
        async with self._one_by_one:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._longest_seconds):
                    await self._quiet.wait()
