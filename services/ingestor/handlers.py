"""image.registered -> image.stored or image.rejected: fetch, verify, keep the original bytes, decide."""

import re
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from services.ingestor.decisions.images import (
    Acceptance,
    AcceptedImage,
    examine,
    object_key_of,
    refuse_label,
)
from services.ingestor.decisions.outcomes import Outcome
from services.ingestor.decisions.withdrawn import WithdrawnBytes
from services.ingestor.precedence import Precedence
from services.ingestor.settings import SOURCE
from shared.contract.events import Event, ImageRegistered
from shared.contract.label_set import LabelSet
from shared.imaging.lanes import DecodingGivenUp, DecodingLanes
from shared.messaging.dead_letters import DEAD_LETTERS_IN_A_ROW
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.errors import InvalidMessage
from shared.runtime.health import Health
from shared.storage.object_store import ObjectMissing, ObjectStore, ObjectTooLarge
from shared.storage.verified import HashMismatch, get_verified
from shared.web.rejection import Rejection, too_large

GROUP = "ingestor-fetcher"
UPLOADS_GROUP = "ingestor-uploads"
"""Uploads have their own group: a person waits for them, and silent hosts may occupy the other group."""
UPLOADS_AT_ONCE = 4
SHA256 = re.compile("[0-9a-f]{64}")


class Downloads(Protocol):
    """Bytes behind URLs."""

    async def fetch(self, url: str) -> bytes | Rejection:
        """Return the bytes, or why there are none."""


class Decisions(Protocol):
    """The decisions about registrations, kept without limit. An earlier decision about the same registration stands."""

    async def outcome(self, event: ImageRegistered) -> Outcome | None:
        """Return the earlier decision, None without one."""

    async def refusal(self, event: ImageRegistered, sha256: str | None = None) -> Rejection | None:
        """Return why this image, or these bytes, are not taken: a person withdrew them. None if they were not."""

    async def holds(self, sha256: str) -> bool:
        """Return whether an image with these bytes was stored."""

    async def store(self, event: ImageRegistered, image: AcceptedImage) -> Outcome:
        """Decide: stored, or rejected as a duplicate. Raises WithdrawnBytes."""

    async def reject(self, event: ImageRegistered, rejection: Rejection) -> Outcome:
        """Decide: rejected."""


class Classes(Protocol):
    """The classes of the installation, which people change while it runs."""

    async def including(self, text: str | None) -> LabelSet:
        """Return the classes, among them the one that is or was called so, if there is one. Raises TransientError."""


class Fetcher:
    """Handles image.registered, each event in one of two groups. A repetition publishes the earlier decision without
    fetching again."""

    def __init__(
        self,
        downloads: Downloads,
        store: ObjectStore,
        decisions: Decisions,
        acceptance: Acceptance,
        precedence: Precedence,
        classes: Classes,
    ) -> None:
        self._classes = classes
        self._precedence = precedence
        self._downloads = downloads
        self._store = store
        self._decisions = decisions
        self._acceptance = acceptance
        self._examining: DecodingLanes[AcceptedImage | Rejection] = DecodingLanes(examine)

    def parts(
        self,
        event_log: EventLog,
        health: Health,
        member: str | None,
        downloads_at_once: int,
        dead_letters_in_a_row: int = DEAD_LETTERS_IN_A_ROW,
    ) -> dict[str, Coroutine[Any, Any, None]]:
        """Return the two groups, to run side by side. An image is in memory from its download until it is stored."""
        work = partial(run_handlers, event_log, source=SOURCE, health=health, member=member)
        work = partial(work, dead_letters_in_a_row=dead_letters_in_a_row)
        others, uploads = self.on_image_registered, self.on_upload_registered
        return {
            "fetcher": work(
                group=GROUP, subscriptions=[subscribe(ImageRegistered, others)], concurrency=downloads_at_once
            ),
            "uploads": work(
                group=UPLOADS_GROUP, subscriptions=[subscribe(ImageRegistered, uploads)], concurrency=UPLOADS_AT_ONCE
            ),
        }

    async def on_image_registered(self, event: ImageRegistered) -> Sequence[Event]:
        """Return the outcome of an image that is not an upload.

        Raises:
            InvalidMessage: the event names no source, or two.
            TransientError: the object store or PostgreSQL is away. (A host that is away is an outcome.)
        """
        if _is_upload(event):
            return []
        await self._give_way(event)
        return [await self._outcome(event)]

    async def on_upload_registered(self, event: ImageRegistered) -> Sequence[Event]:
        """Return the outcome of an upload. Raises as `on_image_registered`."""
        if not _is_upload(event):
            return []
        with self._precedence.upload():
            return [await self._outcome(event)]

    async def _outcome(self, event: ImageRegistered) -> Outcome:
        outcome = await self._decisions.outcome(event)
        return outcome if outcome is not None else await self._decide(event)

    async def _decide(self, event: ImageRegistered) -> Outcome:
        classes = await self._classes.including(event.label)
        refused = await self._decisions.refusal(event) or refuse_label(event.label, classes)
        if event.label is not None and not refused:
            event = event.model_copy(update={"label": classes.label_of(event.label)})
        data = refused or await self._bytes_of(event)
        await self._give_way(event)
        if isinstance(data, Rejection):
            return await self._decisions.reject(event, data)
        image = await self._examined(data)
        if isinstance(image, Rejection):
            return await self._decisions.reject(event, image)
        if refusal := await self._decisions.refusal(event, image.sha256):
            return await self._decisions.reject(event, refusal)
        await self._keep(image, data)
        try:
            return await self._decisions.store(event, image)
        except WithdrawnBytes as withdrawn:  # since the look above: the bytes go before it is decided
            await self._store.delete(image.object_key)
            return await self._decisions.reject(event, withdrawn.rejection)

    async def _keep(self, image: AcceptedImage, data: bytes) -> None:
        """Write the bytes, unless they are there. The store is asked only about bytes that another image holds: a
        question costs as much as a write, and new bytes are the rule."""
        if not (await self._decisions.holds(image.sha256) and await self._store.exists(image.object_key)):
            await self._store.put(image.object_key, data, image.content_type)

    async def _give_way(self, event: ImageRegistered) -> None:
        if not _is_upload(event):
            await self._precedence.give_way()

    async def _examined(self, data: bytes) -> AcceptedImage | Rejection:
        try:
            return await self._examining.call(data, self._acceptance)
        except DecodingGivenUp as error:
            return Rejection(error.reason, str(error), retryable=True)

    async def _bytes_of(self, event: ImageRegistered) -> bytes | Rejection:
        if event.url is not None and event.upload_key is None:
            return await self._downloads.fetch(event.url)
        if event.upload_key is not None and event.url is None:
            return await self._uploaded(event.upload_key)
        raise InvalidMessage(f"image.registered {event.event_id} must name either a URL or an upload.")

    async def _uploaded(self, key: str) -> bytes | Rejection:
        try:
            return await self._store.get(key, limit_bytes=self._acceptance.maximum_bytes)
        except ObjectMissing as error:
            if (data := await self._stored_before(key)) is not None:
                return data
            detail = f"The uploaded bytes are not in the object store ({error}) Upload the image again."
            return Rejection("upload_missing", detail, retryable=True)
        except ObjectTooLarge:
            return too_large(self._acceptance.maximum_bytes)

    async def _stored_before(self, key: str) -> bytes | None:
        """Return the bytes of an upload from the image that holds them; None if there is none. The labeler deletes an
        upload once it is settled, and its registration may come again after the ledger was lost."""
        sha256 = key.rpartition("/")[2]
        if not SHA256.fullmatch(sha256):
            return None
        try:
            data = await get_verified(self._store, object_key_of(sha256), sha256, self._acceptance.maximum_bytes)
        except (ObjectMissing, ObjectTooLarge, HashMismatch):
            return None
        return data


def _is_upload(event: ImageRegistered) -> bool:
    return event.upload_key is not None and event.url is None
