"""The features that full trainings kept in the object store, by backbone and manifest: read instead of computed."""

import asyncio
from collections.abc import Collection

from cachetools import LRUCache

from services.trainer.features.parquet import find_features
from services.trainer.model.arrays import Vector
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectStore

KNOWN_FILES = 8
FEW = 64
"""So few images are computed within a fraction of a second, and no file is looked for or read whose size is not known:
one of 100,000 images takes two seconds."""
ROWS_FOR_ONE = 250
"""So many rows of a file are read while one image is computed."""


class KeptFeatures:
    """Reads a file once for what it holds, and again only for images that are in it: an image that was stored after the
    training is in none, and is not looked for in them each time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._inside: LRUCache[str, frozenset[str]] = LRUCache(KNOWN_FILES)
        self._listed: LRUCache[str, tuple[str, ...]] = LRUCache(KNOWN_FILES)
        """The keys of the files by backbone, as the store listed them last."""

    async def find(self, backbone_id: str, wanted: Collection[str], width: int) -> dict[str, Vector]:
        """Return float32 [width] for those of the images (by sha256) that a training under this backbone kept. A file
        that cannot be read, or that holds vectors of another width, counts as none. Raises TransientError if the store
        does not answer."""
        found: dict[str, Vector] = {}
        missing = set(wanted)
        if not missing:
            return found
        if len(missing) > FEW:
            self._listed[backbone_id] = tuple(await self._store.keys(f"features/{backbone_id}/"))
        for key in self._listed.get(backbone_id, ()):
            inside = self._inside.get(key)
            if not missing or (inside is not None and missing.isdisjoint(inside)):
                continue
            if len(missing) <= FEW and (inside is None or len(inside) > ROWS_FOR_ONE * len(missing)):
                continue
            self._inside[key], chosen = await self._read(key, missing)
            if any(vector.shape != (width,) for vector in chosen.values()):
                logger.warning("kept features are of another width", key=key, expected=width)
                continue
            found |= chosen
            missing -= chosen.keys()
        return found

    async def _read(self, key: str, wanted: Collection[str]) -> tuple[frozenset[str], dict[str, Vector]]:
        try:
            return await asyncio.to_thread(find_features, await self._store.get(key), frozenset(wanted))
        except (ObjectMissing, ValueError) as error:
            logger.warning("kept features cannot be read", key=key, reason=str(error))
            return frozenset(), {}
