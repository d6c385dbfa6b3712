"""Is this picture stored already? Asked before an upload; nothing is stored."""

import hashlib
from uuid import UUID

from services.labeler.commands.outcomes import Refused
from services.labeler.commands.withdrawals import refuse_withdrawn
from services.labeler.decisions.likeness import FARTHEST_BITS, Likeness, likeness_of, shows_the_same
from services.labeler.queries import images
from services.labeler.queries.duplicates import image_of_pixels, nearest_images
from shared.clients.duplicates import DuplicateCheck
from shared.imaging.decoding import UndecodableImage
from shared.imaging.lanes import DecodingLanes
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.tables.database import Database

MOST_CANDIDATES = 3
"""So many stored pictures are decoded for one question: copies of one picture lie nearest."""


class Duplicates:
    """Compares pictures with those that are stored."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._store = store
        self._lanes: DecodingLanes[Likeness] = DecodingLanes(likeness_of)

    async def check(self, data: bytes) -> DuplicateCheck:
        """Return whether the same bytes are stored, the same pixels, or the same picture in another size or encoding.

        Raises:
            Refused: empty, image_withdrawn (these bytes were), or why this is no image, as an upload is refused.
            TransientError: the tables or the object store are unavailable.
        """
        if not data:
            raise Refused("empty", "The file is empty. Choose another one.")
        for stored in await images.images_of_bytes(self._database, hashlib.sha256(data).hexdigest()):
            refuse_withdrawn(stored)
            return DuplicateCheck(duplicate=True, kind="bytes", image_id=stored.image_id, distance=0)
        try:
            own = await self._lanes.call(data)
        except UndecodableImage as error:
            raise Refused(error.reason, str(error)) from error
        if (same := await image_of_pixels(self._database, own.pixels_sha256)) is not None:
            return DuplicateCheck(duplicate=True, kind="pixels", image_id=same, distance=0)
        for image_id, bits in await nearest_images(self._database, own.hashes, FARTHEST_BITS, MOST_CANDIDATES):
            other = await self._likeness_of(image_id)
            if other is not None and shows_the_same(own, other):
                return DuplicateCheck(duplicate=True, kind="similar", image_id=image_id, distance=bits)
        return DuplicateCheck(duplicate=False)

    def close(self) -> None:
        """End the processes in which costly pictures are decoded."""
        self._lanes.close()

    async def _likeness_of(self, image_id: UUID) -> Likeness | None:
        """Return what a stored image looks like; None if it was taken back meanwhile, or cannot be read."""
        found = await images.object_key(self._database, image_id)
        if found is None:
            return None
        try:
            return await self._lanes.call(await self._store.get(found[0]))
        except (ObjectMissing, UndecodableImage) as error:
            logger.warning("a stored image cannot be compared", image_id=str(image_id), reason=str(error))
            return None
