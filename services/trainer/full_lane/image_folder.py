"""The image files of a training, on local disk by sha256: downloaded once, kept for the next training."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from shared.runtime.bounded import map_bounded
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.storage.verified import HashMismatch, get_verified

DOWNLOADS_AT_ONCE = 16


def path_in(folder: Path, sha256: str) -> Path:
    """Return the path of the file with this hash."""
    return folder / sha256[:2] / sha256


class ImageFolder:
    """A folder that may be deleted at any time: missing files are downloaded again."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self.folder = folder

    async def fetch(self, object_keys: Mapping[str, str]) -> set[str]:
        """Download the images (sha256 -> object key) that are not here. Return the hashes of those whose object is gone
        or holds other bytes.

        Raises:
            TransientError: the store does not answer.
        """
        missing = await asyncio.to_thread(self._missing, object_keys)
        fetched = await map_bounded(lambda digest: self._fetch(digest, object_keys[digest]), missing, DOWNLOADS_AT_ONCE)
        return {digest for digest, is_here in zip(missing, fetched, strict=True) if not is_here}

    def remove(self, sha256s: Collection[str]) -> None:
        """Delete the files with these hashes, if they are here."""
        for digest in sha256s:
            path_in(self.folder, digest).unlink(missing_ok=True)

    def _missing(self, digests: Iterable[str]) -> list[str]:
        return [digest for digest in digests if not path_in(self.folder, digest).exists()]

    async def _fetch(self, digest: str, key: str) -> bool:
        try:
            data = await get_verified(self._store, key, digest)
        except ObjectMissing:
            return False
        except HashMismatch as error:
            logger.error("an image is left out of the training", object_key=key, reason=str(error))
            return False
        await asyncio.to_thread(_write, path_in(self.folder, digest), data)
        return True


def _write(path: Path, data: bytes) -> None:
    """Write the whole file or, after a crash in between, none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)
