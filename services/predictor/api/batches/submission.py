"""Makes what was asked durable: bytes in the object store, then a request for each image on the log."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Protocol
from uuid import UUID, uuid4

from services.predictor.api.batches.received import Asked
from services.predictor.api.batches.zips import SentFile
from services.predictor.decisions.batches import object_key_of
from services.predictor.metrics import BATCH_PREDICTIONS_REQUESTED
from shared.contract.batches import PredictionRequested, prediction_id_of
from shared.contract.events import uuid_of
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock, utc_now

UPLOADS_AT_ONCE = 16
EVENTS_AT_ONCE = 200
"""Events between two of which other requests are answered."""


class WritableStore(Protocol):
    """Where uploaded bytes are put; every `ObjectStore` is one."""

    async def put(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        """See ObjectStore."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the bytes of one image are, and what of it tells a repeated request from another one: a name does not."""

    identity: str
    object_key: str | None = None
    sha256: str | None = None
    url: str | None = None
    image_id: UUID | None = None
    file_name: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A batch that is durable."""

    batch_id: UUID
    predictions: tuple[UUID, ...]


class Submissions:
    """Accepts batches. What was accepted is answered, although this process ends at once."""

    def __init__(self, store: WritableStore, publisher: Publisher, clock: Clock = utc_now) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def submit(self, asked: Asked, requested_by: str, idempotency_key: str | None) -> Submitted:
        """Return when the bytes are stored and the events acknowledged. The same images with the same idempotency key,
        from the same client, are the same batch, which is answered once.

        Raises:
            TransientError: object store or log are away. A batch of which a part is on the log already is completed
                when the request is sent again with its idempotency key.
        """
        places = await self._places(asked)
        batch_id = _batch_id(requested_by, idempotency_key, asked.callback_url, places)
        events = self._events(asked, places, batch_id, requested_by)
        while some := list(islice(events, EVENTS_AT_ONCE)):
            await self._publisher.publish(some)
        BATCH_PREDICTIONS_REQUESTED.inc(len(places))
        return Submitted(batch_id, tuple(prediction_id_of(batch_id, index) for index in range(len(places))))

    async def _places(self, asked: Asked) -> list[_Place]:
        if asked.files:
            try:
                async with asyncio.TaskGroup() as uploads:
                    tasks = [uploads.create_task(self._upload(file)) for file in asked.files]
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None
            return [task.result() for task in tasks]
        urls = [_Place(url, url=url) for url in asked.urls]
        return urls or [_Place(str(image_id), image_id=image_id) for image_id in asked.image_ids]

    async def _upload(self, file: SentFile) -> _Place:
        """Store bytes, again if they are there: retention goes by when they were stored last."""
        async with self._uploads:
            digest = sha256(file.data).hexdigest()
            key = object_key_of(digest)
            await self._store.put(key, file.data)
        return _Place(digest, object_key=key, sha256=digest, file_name=file.name)

    def _events(
        self, asked: Asked, places: list[_Place], batch_id: UUID, requested_by: str
    ) -> Iterator[PredictionRequested]:
        now = self._clock()
        for index, place in enumerate(places):
            prediction_id = prediction_id_of(batch_id, index)
            yield PredictionRequested(
                event_id=uuid_of(PredictionRequested.topic, prediction_id),
                occurred_at=now,
                prediction_id=prediction_id,
                batch_id=batch_id,
                index=index,
                batch_size=len(places),
                object_key=place.object_key,
                sha256=place.sha256,
                url=place.url,
                image_id=place.image_id,
                file_name=place.file_name,
                callback_url=asked.callback_url,
                requested_by=requested_by,
            )


def _batch_id(requested_by: str, idempotency_key: str | None, callback_url: str | None, places: list[_Place]) -> UUID:
    """Return the id of a batch. With a key it comes from all that was asked: another list with the same key is another
    batch, and never an answer about images that were not sent."""
    if idempotency_key is None:
        return uuid4()
    content = sha256("\n".join([callback_url or "", *(place.identity for place in places)]).encode()).hexdigest()
    return uuid_of("batch", requested_by, idempotency_key, content)
