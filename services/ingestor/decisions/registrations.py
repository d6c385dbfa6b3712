"""When is an image announced, and how? Pure: rows in, image.registered or None out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.ingestor.decisions.outcomes import rejected_id
from shared.contract.events import ImageRegistered, Trust, uuid_of
from shared.runtime.retry import RetryPolicy, delay
from shared.runtime.text import clean_typed


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of plants_data that was not announced yet. `image_id` and `upload_key` are set for an upload whose
    registration got lost with the log, and None for a URL."""

    url_source: str
    label: str | None
    registered_by: str
    created_at: datetime
    image_id: UUID | None = None
    upload_key: str | None = None


@dataclass(frozen=True, slots=True)
class RetryableRow:
    """An image whose last attempt was rejected as retryable."""

    image_id: UUID
    url: str | None
    upload_key: str | None
    label: str | None
    trust: Trust
    registered_by: str
    rejected_attempt: int
    rejected_at: datetime


def registered_id(image_id: UUID, attempt: int) -> UUID:
    """Return the id of image.registered: an image is announced once per attempt."""
    return uuid_of(ImageRegistered.topic, image_id, attempt)


def first_registration(row: NewRow) -> ImageRegistered:
    """Return the first announcement; the same row gives the same event. The label of a URL has the trust of a data set,
    that of an upload is claimed."""
    if row.upload_key is not None and row.image_id is not None:
        return ImageRegistered(
            event_id=registered_id(row.image_id, 1),
            occurred_at=row.created_at,
            image_id=row.image_id,
            upload_key=row.upload_key,
            label=row.label,
            registered_by=row.registered_by,
        )
    image_id = uuid_of("image", row.url_source)
    label = clean_typed(row.label or "") or None
    return ImageRegistered(
        event_id=registered_id(image_id, 1),
        occurred_at=row.created_at,
        image_id=image_id,
        url=row.url_source,
        label=label,
        trust="claimed" if label is None else "seed",
        registered_by=row.registered_by,
    )


def next_registration(row: RetryableRow, policy: RetryPolicy, now: datetime) -> ImageRegistered | None:
    """Return the announcement with the next attempt number; None while it is not due, and when `policy` gives up. It
    occurs at the due time, so that a repetition is the same event."""
    seconds = delay(policy, row.rejected_attempt)
    if seconds is None or now < (due := row.rejected_at + timedelta(seconds=seconds)):
        return None
    attempt = row.rejected_attempt + 1
    return ImageRegistered(
        event_id=registered_id(row.image_id, attempt),
        occurred_at=due,
        causes=(rejected_id(row.image_id, row.rejected_attempt),),
        image_id=row.image_id,
        url=row.url,
        upload_key=row.upload_key,
        label=row.label,
        trust=row.trust,
        registered_by=row.registered_by,
        attempt=attempt,
    )
