"""Features of stored images under an exported backbone: from memory, or computed from the bytes in the object store."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from services.trainer.features.kept import KeptFeatures
from services.trainer.model.arrays import Vector
from services.trainer.model.sessions import mirror
from shared.imaging.decoding import UndecodableImage
from shared.imaging.lanes import DecodingLanes
from shared.imaging.preprocessing import PreparedImage, prepare_image
from shared.imaging.structure import Pixels
from shared.runtime.bounded import map_bounded
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.storage.verified import HashMismatch, get_verified

BATCH = 16
FETCHES = 8
PREPARED_IMAGES = 256
"""Prepared images kept in memory, 27 KB each."""

FeatureCache = LRUCache[tuple[str, str], Vector]
"""Vectors by backbone id and sha256 of the image's bytes; a vector of 1,000 numbers takes 4 KB."""
MIRRORED = "/mirrored"
"""Follows the backbone id of the vectors of mirrored images."""


class Backbone(Protocol):
    """An exported backbone that is loaded."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [n, d] of uint8 [n, 96, 96, 3]."""


@dataclass(frozen=True)
class FeatureResult:
    """Feature vectors by sha256, and why there are none for the other images."""

    features: dict[str, Vector] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


class FeatureSource:
    """Computes what the cache lacks. Decoding and inference run in a thread, so that heartbeats go on."""

    def __init__(self, store: ObjectStore, cache: FeatureCache) -> None:
        self._store = store
        self._cache = cache
        self._kept = KeptFeatures(store)
        self._fetching = asyncio.Semaphore(FETCHES)
        self._decoding: DecodingLanes[PreparedImage] = DecodingLanes(prepare_image)
        self._forgotten: frozenset[str] = frozenset()
        self._prepared_images: LRUCache[str, Pixels] = LRUCache(PREPARED_IMAGES)

    async def features(
        self, backbone_id: str, backbone: Backbone, object_keys: Mapping[str, str], *, mirrored: bool = False
    ) -> FeatureResult:
        """Return features for each sha256 in `object_keys` (sha256 -> where the bytes lie); with `mirrored` those of
        the mirrored images. Raises TransientError if the store does not answer."""
        kept_under = backbone_id + MIRRORED if mirrored else backbone_id
        found = FeatureResult()
        missing: list[str] = []
        for digest in object_keys:
            vector = self._cache.get((kept_under, digest))
            if vector is None:
                missing.append(digest)
            else:
                found.features[digest] = vector
        for at in range(0, len(missing), BATCH):
            pixels, unreadable = await self.prepared_images(
                {digest: object_keys[digest] for digest in missing[at : at + BATCH]}
            )
            found.unreadable.update(unreadable)
            if pixels:
                images = np.stack(list(pixels.values()))
                vectors = await asyncio.to_thread(backbone.features, mirror(images) if mirrored else images)
                for digest, vector in zip(pixels, vectors, strict=True):
                    self._cache[kept_under, digest] = vector.copy()
                    found.features[digest] = vector
        return found

    def forget(self, withdrawn: frozenset[str]) -> None:
        """Keep nothing in memory of these images (by sha256), which come no more. Those named before are passed
        over."""
        digests = withdrawn - self._forgotten
        self._forgotten = withdrawn
        for key in [key for key in self._cache if key[1] in digests]:
            del self._cache[key]
        for digest in digests:
            self._prepared_images.pop(digest, None)

    async def recall(self, backbone_id: str, digests: Collection[str], width: int) -> None:
        """Take what full trainings kept of these images under this backbone into memory, so that `features` downloads
        none of them. `width`: the numbers of a vector. Raises TransientError if the store does not answer."""
        missing = [digest for digest in digests if (backbone_id, digest) not in self._cache]
        for digest, vector in (await self._kept.find(backbone_id, missing, width)).items():
            self._cache[backbone_id, digest] = vector

    async def prepared_images(self, object_keys: Mapping[str, str]) -> tuple[dict[str, Pixels], dict[str, str]]:
        """Return prepared images uint8 [96, 96, 3] by sha256, and why others could not be read. Raises
        TransientError."""
        answers = await map_bounded(lambda entry: self._read(*entry), object_keys.items(), FETCHES)
        prepared: dict[str, Pixels] = {}
        unreadable: dict[str, str] = {}
        for digest, answer in zip(object_keys, answers, strict=True):
            if isinstance(answer, str):
                unreadable[digest] = answer
            else:
                prepared[digest] = answer
        return prepared, unreadable

    async def _read(self, digest: str, key: str) -> Pixels | str:
        if (known := self._prepared_images.get(digest)) is not None:
            return known
        async with self._fetching:
            try:
                data = await get_verified(self._store, key, digest)
                self._prepared_images[digest] = pixels = (await self._decoding.call(data)).pixels
            except (ObjectMissing, HashMismatch, UndecodableImage) as error:
                return str(error)
            return pixels
