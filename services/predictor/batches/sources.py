"""Where the bytes of a request come from: uploaded ones, a stored image, a web address."""

from typing import Protocol
from uuid import UUID

from services.predictor.data.projection import is_withdrawn
from services.predictor.data.stored_images import find_stored
from shared.contract.batches import BatchRefusal, PredictionRequested
from shared.contract.events import ImageStored, ImageWithdrawn
from shared.messaging.event_log import EventLog
from shared.runtime.errors import PappusError
from shared.storage.object_store import ObjectMissing, ObjectTooLarge
from shared.storage.verified import HashMismatch, ReadableStore, get_verified
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up
from shared.web.rejection import Rejection

CAUGHT_UP_SECONDS = 10.0


class Refused(PappusError):
    """There will be no answer; `refusal` says why."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(detail)
        self.refusal = BatchRefusal(error=error, detail=detail)


class ImageBytes(Protocol):
    """Finds the bytes of a request."""

    async def fetch(self, request: PredictionRequested) -> bytes:
        """Return them. Raises Refused if there are none and will be none; TransientError if they cannot be asked for
        now."""


class Downloads(Protocol):
    """Fetches what people name on the web; `Downloader` does."""

    async def fetch(self, url: str) -> bytes | Rejection:
        """Return the bytes behind `url`, or why there are none."""


class SourceBytes:
    """Uploaded bytes, and those of stored images, from the object store; the tables say where a stored image lies. What
    is at a web address is fetched."""

    def __init__(
        self,
        store: ReadableStore,
        event_log: EventLog,
        database: Database,
        downloads: Downloads,
        longest_bytes: int,
        caught_up_seconds: float = CAUGHT_UP_SECONDS,
    ) -> None:
        """`longest_bytes`: what a stored image has at most."""
        self._store = store
        self._event_log = event_log
        self._database = database
        self._downloads = downloads
        self._longest_bytes = longest_bytes
        self._caught_up_seconds = caught_up_seconds

    async def fetch(self, request: PredictionRequested) -> bytes:
        """See ImageBytes."""
        if request.object_key is not None and request.sha256 is not None:
            return await self._read(request.object_key, request.sha256)
        if request.url is not None:
            found = await self._downloads.fetch(request.url)
            if isinstance(found, Rejection):
                raise Refused(found.reason, found.detail)
            return found
        assert request.image_id is not None
        return await self._of_image(request.image_id)

    async def _of_image(self, image_id: UUID) -> bytes:
        found = await find_stored(self._database, image_id)
        if found is None:  # stored a moment ago, or never
            await self._until_caught_up()
            found = await find_stored(self._database, image_id)
        if found is None:
            raise Refused("unknown_image", f"No image {image_id} is stored. Send an id that `GET /images` lists.")
        if await is_withdrawn(self._database, image_id):
            raise _taken_back(image_id)
        try:
            return await self._read(found.object_key, found.sha256)
        except Refused:
            await self._until_caught_up()  # the bytes may go before the tables say why
            if await is_withdrawn(self._database, image_id):
                raise _taken_back(image_id) from None
            raise

    async def _read(self, key: str, sha256: str) -> bytes:
        try:
            return await get_verified(self._store, key, sha256, self._longest_bytes)
        except ObjectMissing as error:
            raise Refused("bytes_gone", "The bytes are no longer there. Send the image again.") from error
        except (HashMismatch, ObjectTooLarge) as error:
            raise Refused("bytes_damaged", str(error)) from error

    async def _until_caught_up(self) -> None:
        topics = (ImageStored.topic, ImageWithdrawn.topic)
        await wait_until_caught_up(self._event_log, self._database, topics, self._caught_up_seconds)


def _taken_back(image_id: UUID) -> Refused:
    return Refused("image_withdrawn", f"A person took image {image_id} back.")
