"""The ingestor's projection: image.* and label.corrected folded into `images`, and shown in `plants_data`; the classes.

Each group of columns in `images` is written from one topic, and each `apply_*` tolerates a repeated event, so any order
of the topics gives the same tables.
"""

from collections.abc import Sequence

from services.ingestor.data import ledger, tombstones
from services.ingestor.settings import IngestorSettings
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, ImageWithdrawn, LabelCorrected
from shared.contract.label_set import LabelSetChanged
from shared.contract.race_rules import label_applies
from shared.runtime.errors import InvalidMessage
from shared.tables.label_set import apply_label_set_changed
from shared.tables.projection import Projector, Transaction, on_event, on_events
from shared.tables.replay import ReplayPlan
from shared.web.urls import without_login

SCHEMA = "ingestor"
MIGRATIONS = "services.ingestor.data.sql"
FOLD_VERSION = 2
"""Raised when events that are folded already would give other rows; people then run `pappus replay`."""
PROJECTION = f"projection {SCHEMA}"
"""The part of the process's health that the projection reports."""
URL_LIMIT_BYTES = 2000  # as in the check of plants_data.url_source
INPUT_TABLES = ("plants_data", "ledger", "looks", "url_logins", "tombstones")
"""The tables a replay keeps: the inserted rows with the announcer's marks, the fetcher's decisions with what images
look like, the logins of rows that have no final outcome, and the tombstones, which hold also if the log is lost."""


_ANNOUNCE_AGAIN = """
UPDATE {fresh}.plants_data p SET
    announced_at = NULL, attempt = 0, state = 'waiting', will_retry = false,
    label = CASE WHEN octet_length(label) > 200 THEN left(label, 49) || '…' ELSE label END,
    upload_key = (SELECT i.upload_key FROM {current}.images i WHERE i.image_id = p.image_id),
    url_s3 = NULL, sha256 = NULL, size_bytes = NULL, width = NULL, height = NULL,
    reason = NULL, detail = NULL, duplicate_of = NULL
WHERE p.announced_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM {fresh}.images f WHERE f.image_id = p.image_id AND f.state <> 'waiting'
)
"""
"""After the log was replaced: rows whose registration or outcome is not on it are announced again. The ledger knows the
outcome, so that the same event comes out."""


_ImageEvent = ImageRegistered | ImageStored | ImageRejected | ImageWithdrawn | LabelCorrected


class Tables:
    """The projection. `bucket` is the bucket of the object store, for url_s3; `max_attempts` the announcer's limit, for
    will_retry."""

    def __init__(self, bucket: str, max_attempts: int) -> None:
        self._bucket = bucket
        self._max_attempts = max_attempts

    @property
    def projectors(self) -> Sequence[Projector]:
        """The projectors of the schema."""
        return (
            on_events(ImageRegistered, self.apply_image_registered),
            on_events(ImageStored, self.apply_image_stored),
            on_events(ImageRejected, self.apply_image_rejected),
            on_event(ImageWithdrawn, self.apply_image_withdrawn),
            on_event(LabelCorrected, self.apply_label_corrected),
            on_event(LabelSetChanged, apply_label_set_changed),
        )

    async def apply_image_registered(self, events: Sequence[ImageRegistered], transaction: Transaction) -> None:
        """Record the registrations. An upload gets its row in `plants_data` here, already announced.

        Raises:
            InvalidMessage: the URL of one is longer than `plants_data` takes.
        """
        rows = []
        for event in events:
            url = event.url and without_login(event.url)
            url_source = url or f"upload:{event.image_id}"
            if len(url_source.encode()) > URL_LIMIT_BYTES:
                raise InvalidMessage(f"The URL of image {event.image_id} is longer than {URL_LIMIT_BYTES} bytes.")
            source = (event.image_id, url_source, url, event.upload_key, event.label, event.trust, event.registered_by)
            rows.append((*source, event.occurred_at, event.attempt))
        await transaction.executemany(
            """INSERT INTO images AS i (image_id, url_source, url, upload_key, label, trust, registered_by,
                   registered_at, attempt)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (image_id) DO UPDATE SET
                   url_source = EXCLUDED.url_source, url = EXCLUDED.url, upload_key = EXCLUDED.upload_key,
                   label = EXCLUDED.label, trust = EXCLUDED.trust, registered_by = EXCLUDED.registered_by,
                   registered_at = least(i.registered_at, EXCLUDED.registered_at),
                   attempt = greatest(i.attempt, EXCLUDED.attempt)""",
            rows,
        )
        await transaction.execute(
            """INSERT INTO plants_data
                   (id, url_source, label, created_at, registered_by, image_id, announced_at, attempt)
               SELECT image_id, url_source, label, registered_at, registered_by, image_id, registered_at, attempt
               FROM images WHERE image_id = ANY($1)
               ON CONFLICT DO NOTHING""",
            [event.image_id for event in events],
        )
        await self._show(events, transaction)

    async def apply_image_stored(self, events: Sequence[ImageStored], transaction: Transaction) -> None:
        """Record where the bytes are; the first event of an image counts. `ledger.enter` says why the ledger is written
        too."""
        await transaction.executemany(
            """INSERT INTO images AS i (image_id, sha256, object_key, size_bytes, width, height, image_format,
                   perceptual_hash, group_id, stored_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               ON CONFLICT (image_id) DO UPDATE SET
                   sha256 = EXCLUDED.sha256, object_key = EXCLUDED.object_key, size_bytes = EXCLUDED.size_bytes,
                   width = EXCLUDED.width, height = EXCLUDED.height, image_format = EXCLUDED.image_format,
                   perceptual_hash = EXCLUDED.perceptual_hash, group_id = EXCLUDED.group_id,
                   stored_at = EXCLUDED.stored_at
               WHERE i.sha256 IS NULL""",
            [
                (
                    event.image_id,
                    event.sha256,
                    event.object_key,
                    event.size_bytes,
                    event.width,
                    event.height,
                    event.image_format,
                    event.perceptual_hash,
                    event.group_id,
                    event.occurred_at,
                )
                for event in events
            ],
        )
        await ledger.enter(transaction, events)
        await self._show(events, transaction)

    async def apply_image_rejected(self, events: Sequence[ImageRejected], transaction: Transaction) -> None:
        """Record the rejection of the latest attempt of each image."""
        await transaction.executemany(
            """INSERT INTO images AS i
                   (image_id, rejected_attempt, rejected_at, reason, detail, retryable, duplicate_of)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (image_id) DO UPDATE SET
                   rejected_attempt = EXCLUDED.rejected_attempt, rejected_at = EXCLUDED.rejected_at,
                   reason = EXCLUDED.reason, detail = EXCLUDED.detail, retryable = EXCLUDED.retryable,
                   duplicate_of = EXCLUDED.duplicate_of
               WHERE i.rejected_attempt IS NULL OR i.rejected_attempt < EXCLUDED.rejected_attempt""",
            [
                (
                    event.image_id,
                    event.attempt,
                    event.occurred_at,
                    event.reason,
                    event.detail,
                    event.retryable,
                    event.duplicate_of,
                )
                for event in events
            ],
        )
        await self._show(events, transaction)

    async def apply_image_withdrawn(self, event: ImageWithdrawn, transaction: Transaction) -> None:
        """Record that the image was taken back; the first withdrawal counts."""
        await transaction.execute(
            """INSERT INTO images AS i (image_id, withdrawn_at, withdrawn_because) VALUES ($1, $2, $3)
               ON CONFLICT (image_id) DO UPDATE SET
                   withdrawn_at = EXCLUDED.withdrawn_at, withdrawn_because = EXCLUDED.withdrawn_because
               WHERE i.withdrawn_at IS NULL""",
            event.image_id,
            event.occurred_at,
            f"Withdrawn by {event.withdrawn_by}: {event.reason}",
        )
        await tombstones.enter(transaction, event)
        await self._show([event], transaction)

    async def apply_label_corrected(self, event: LabelCorrected, transaction: Transaction) -> None:
        """Record what was decided if the revision applies; a superseded or repeated one does not."""
        current = await transaction.fetchval("SELECT revision FROM images WHERE image_id = $1", event.image_id)
        if not label_applies(current or 0, event.revision):
            return
        await transaction.execute(
            """INSERT INTO images (image_id, corrected_label, decided, revision) VALUES ($1, $2, $3, $4)
               ON CONFLICT (image_id) DO UPDATE SET corrected_label = EXCLUDED.corrected_label,
                   decided = EXCLUDED.decided, revision = EXCLUDED.revision""",
            event.image_id,
            None if event.holds is None else event.holds.label,
            event.holds is not None,
            event.revision,
        )
        await self._show([event], transaction)

    async def _show(self, events: Sequence[_ImageEvent], transaction: Transaction) -> None:
        """Copy the rows of `images` to the rows of `plants_data`, where the registration is known. A login that was in
        a URL is forgotten when nothing more will be fetched."""
        await transaction.execute(
            """WITH shown AS (UPDATE plants_data p SET
                   image_id = i.image_id, announced_at = coalesce(p.announced_at, i.registered_at),
                   attempt = greatest(p.attempt, i.attempt), state = i.state,
                   label = CASE WHEN i.decided THEN i.corrected_label ELSE i.label END, revision = i.revision,
                   url_s3 = CASE WHEN i.state = 'stored' THEN 's3://' || $2 || '/' || i.object_key END,
                   sha256 = i.sha256, size_bytes = i.size_bytes, width = i.width, height = i.height,
                   reason = CASE i.state WHEN 'rejected' THEN i.reason WHEN 'withdrawn' THEN 'withdrawn' END,
                   detail = CASE i.state WHEN 'rejected' THEN i.detail WHEN 'withdrawn' THEN i.withdrawn_because END,
                   will_retry = coalesce(i.state = 'rejected' AND i.retryable AND i.rejected_attempt < $3, false),
                   duplicate_of = CASE WHEN i.state = 'rejected' THEN i.duplicate_of END
               FROM images i WHERE i.image_id = ANY($1) AND p.url_source = i.url_source
               RETURNING p.url_source, p.state, p.will_retry)
               DELETE FROM url_logins l USING shown
               WHERE l.url_source = shown.url_source AND shown.state <> 'waiting' AND NOT shown.will_retry""",
            [event.image_id for event in events],
            self._bucket,
            self._max_attempts,
        )


def replay_plan() -> ReplayPlan:
    """Return the plan of `python -m services.replay ingestor`. It keeps the inserted rows of `plants_data` with the
    announcer's marks, and the fetcher's ledger; everything else is folded from the log."""
    settings = IngestorSettings()
    tables = Tables(settings.s3_bucket, settings.max_attempts)
    return ReplayPlan(
        SCHEMA, MIGRATIONS, tables.projectors, keep=INPUT_TABLES, repair=(_ANNOUNCE_AGAIN,), fold_version=FOLD_VERSION
    )
