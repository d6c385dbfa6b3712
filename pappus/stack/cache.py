"""Things fetched or built once for all stacks of this user, by version."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

LOOK_SECONDS = 0.2


class Cache:
    """A folder of finished folders: each appears in it complete or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    def holds(self, name: str) -> bool:
        """Return whether the folder `name` exists, complete."""
        return (self.root / name).is_dir()

    async def folder(self, name: str, make: Callable[[Path], Awaitable[None]]) -> Path:
        """Return the folder `name`, filled by `make` the first time. Concurrent callers wait for it."""
        target = self.root / name
        if target.is_dir():
            return target
        self.root.mkdir(parents=True, exist_ok=True)
        async with self._only_one(name):
            if not target.is_dir():
                await self._make(target, make)
        return target

    async def _make(self, target: Path, make: Callable[[Path], Awaitable[None]]) -> None:
        unfinished = Path(tempfile.mkdtemp(dir=self.root, prefix=f".{target.name}."))
        try:
            await make(unfinished)
            _publish(unfinished, target)
        finally:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)

    @asynccontextmanager
    async def _only_one(self, name: str) -> AsyncIterator[None]:
        with (self.root / f".{name}.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(LOOK_SECONDS)
            yield


def _publish(unfinished: Path, target: Path) -> None:
    unfinished.chmod(0o755)
    unfinished.rename(target)
