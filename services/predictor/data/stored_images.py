"""Questions to the table of stored images: which of them lack an answer, and which should have none."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.tables.database import Database

_WAITING = """
FROM stored_images stored
WHERE stored_at IS NOT NULL
  AND (full_model_sha256 IS NULL OR ((full_model_sha256 < $1 OR full_model_sha256 > $1) AND sequence < $2))
  AND NOT EXISTS (SELECT FROM withdrawn_images withdrawn WHERE withdrawn.image_id = stored.image_id)
"""
"""$1: the whole artefact that answers, $2: the sequence of its promotion. An answer of a later promotion stays: this
process could not load that one yet. Less or greater, not "other than": so the index finds few of many."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A stored image, and the event that says so."""

    image_id: UUID
    sha256: str
    object_key: str
    stored_event_id: UUID


async def count_waiting(database: Database, full_model_sha256: str, sequence: int) -> int:
    """Return how many stored images have no answer of this full model."""
    return int(await database.fetchval(f"SELECT count(*) {_WAITING}", full_model_sha256, sequence))


async def find_waiting(
    database: Database,
    full_model_sha256: str,
    sequence: int,
    *,
    stored_before: datetime,
    but: Collection[UUID] = (),
    limit: int,
) -> list[StoredImage]:
    """Return stored images that have no answer of this full model, those that people will review first. Of these, one
    without any answer only if it was stored before a time: a newer one is in work already."""
    rows = await database.fetch(
        f"""SELECT image_id, sha256, object_key, stored_event_id {_WAITING}
            AND (full_model_sha256 IS NOT NULL OR NOT awaits_review OR stored_at < $3) AND image_id <> ALL($4)
            ORDER BY awaits_review DESC, image_id LIMIT $5""",
        full_model_sha256,
        sequence,
        stored_before,
        list(but),
        limit,
    )
    return [StoredImage(**dict(row)) for row in rows]


async def withdrawn_with_answer(database: Database, limit: int) -> list[UUID]:
    """Return withdrawn images whose last event on image.scored is an answer."""
    rows = await database.fetch(
        """SELECT image_id FROM stored_images JOIN withdrawn_images USING (image_id)
           WHERE full_model_sha256 IS NOT NULL ORDER BY image_id LIMIT $1""",
        limit,
    )
    return [row["image_id"] for row in rows]


async def find_stored(database: Database, image_id: UUID) -> StoredImage | None:
    """Return a stored image; None if the tables know of none."""
    row = await database.fetchrow(
        """SELECT image_id, sha256, object_key, stored_event_id FROM stored_images
           WHERE image_id = $1 AND stored_at IS NOT NULL""",
        image_id,
    )
    return None if row is None else StoredImage(**dict(row))
