"""The outcomes of a registered image, as events. Pure; the same registration gives the same event ids."""

import re
from datetime import datetime
from uuid import UUID

from services.ingestor.decisions.groups import Grouped
from services.ingestor.decisions.images import AcceptedImage
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, uuid_of
from shared.web.rejection import Rejection
from shared.web.urls import without_login

DETAIL_CHARACTERS = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, with those that turn the direction of writing (Unicode TR 36)."""

Outcome = ImageStored | ImageRejected


def stored_id(image_id: UUID) -> UUID:
    """Return the id of image.stored: an image is stored once."""
    return uuid_of(ImageStored.topic, image_id)


def rejected_id(image_id: UUID, attempt: int) -> UUID:
    """Return the id of image.rejected: an image is rejected at most once per attempt."""
    return uuid_of(ImageRejected.topic, image_id, attempt)


def stored(event: ImageRegistered, image: AcceptedImage, grouped: Grouped, now: datetime) -> ImageStored:
    """Return the event that the registered image is in the object store."""
    return ImageStored(
        event_id=stored_id(event.image_id),
        occurred_at=now,
        causes=(event.event_id,),
        image_id=event.image_id,
        sha256=image.sha256,
        object_key=image.object_key,
        size_bytes=image.size_bytes,
        width=image.width,
        height=image.height,
        image_format=image.image_format,
        perceptual_hash=image.perceptual_hash,
        pixels_sha256=image.pixels_sha256,
        group_id=grouped.group_id,
        joins=grouped.joins,
        label=event.label,
        trust=event.trust,
        registered_by=event.registered_by,
        source_url=event.url and without_login(event.url),
    )


def rejected(event: ImageRegistered, rejection: Rejection, now: datetime) -> ImageRejected:
    """Return the event that the registered image is not taken, and why."""
    return ImageRejected(
        event_id=rejected_id(event.image_id, event.attempt),
        occurred_at=now,
        causes=(event.event_id,),
        image_id=event.image_id,
        reason=rejection.reason,
        detail=_readable(rejection.detail),
        retryable=rejection.retryable,
        duplicate_of=rejection.duplicate_of,
        attempt=event.attempt,
    )


def _readable(text: str) -> str:
    """Return text that tables and terminals can hold: not too long, no control characters and no lone surrogates, which
    a hostile answer may contain."""
    clean = _CONTROL.sub("\ufffd", text).encode("utf-8", "replace").decode()
    return clean if len(clean) <= DETAIL_CHARACTERS else clean[: DETAIL_CHARACTERS - 1] + "…"


def duplicate(holder: UUID) -> Rejection:
    """Return the rejection of bytes that are already stored as image `holder`."""
    return Rejection("duplicate", f"The same bytes are already stored as image {holder}.", duplicate_of=holder)
