"""The bytes of the images a training needs, on local disk by sha256: downloaded once, kept for the next training."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path

from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectStore

DOWNLOADS_AT_ONCE = 16


def path_in(folder: Path, sha256: str) -> Path:
    """Where the bytes with this hash lie."""
    return folder / sha256[:2] / sha256


class ImageFolder:
    """A folder that may be deleted at any time: what is missing is downloaded again."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._at_once = asyncio.Semaphore(DOWNLOADS_AT_ONCE)
        self.folder = folder

    async def fetch(self, object_keys: Mapping[str, str]) -> set[str]:
        """Have the images here (sha256 -> object key). Gives the hashes of those whose object is gone, or holds other
        bytes.

        Raises:
            TransientError: the store does not answer.
        """
        here = await asyncio.gather(*(self._fetch(digest, key) for digest, key in object_keys.items()))
        return {digest for digest, is_here in zip(object_keys, here, strict=True) if not is_here}

    async def _fetch(self, digest: str, key: str) -> bool:
        path = path_in(self.folder, digest)
        if path.exists():
            return True
        async with self._at_once:
            try:
                data = await self._store.get(key)
            except ObjectMissing:
                return False
            if hashlib.sha256(data).hexdigest() != digest:
                logger.error("an image's object holds other bytes than were stored", object_key=key, sha256=digest)
                return False
            await asyncio.to_thread(_write, path, data)
        return True


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)
