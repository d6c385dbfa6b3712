"""Queries about pictures with the same pixels that people gave different labels."""

from uuid import UUID

from shared.clients.answers import DecidedLabel, LabelConflict
from shared.tables.database import Database
from shared.tables.postgres import Row

_DECIDED = ("image_id", "revision", "label", "no_label", "decided_by", "decided_at")
_CONFLICTS = """
SELECT later.image_id, later.revision, later.label_to AS label, later.no_label, later.corrected_by AS decided_by,
       later.occurred_at AS decided_at, earlier.image_id AS earlier_image_id, earlier.revision AS earlier_revision,
       earlier.label_to AS earlier_label, earlier.no_label AS earlier_no_label,
       earlier.corrected_by AS earlier_decided_by, earlier.occurred_at AS earlier_decided_at
FROM same_pixels
JOIN images counting ON counting.image_id = same_pixels.image_id
JOIN images overruled ON overruled.pixels_sha256 = same_pixels.pixels_sha256
                     AND overruled.image_id <> same_pixels.image_id AND overruled.withdrawn_at IS NULL
JOIN label_history later ON later.applied
    AND (later.image_id, later.revision) = (counting.image_id, counting.held_revision)
JOIN label_history earlier ON earlier.applied
    AND (earlier.image_id, earlier.revision) = (overruled.image_id, overruled.held_revision)
WHERE (later.label_to, later.no_label) IS DISTINCT FROM (earlier.label_to, earlier.no_label)
"""
_NEWEST = "ORDER BY later.occurred_at DESC, earlier.occurred_at DESC, earlier.image_id LIMIT"


async def conflicts_of_person(database: Database, person: str, limit: int) -> list[LabelConflict]:
    """Return the conflicts in which one of the two labels is by this person, the newest first."""
    rows = await database.fetch(
        f"{_CONFLICTS} AND $1 IN (later.corrected_by, earlier.corrected_by) {_NEWEST} $2",
        person,
        limit,
    )
    return [_conflict(row) for row in rows]


async def conflicts_of_image(database: Database, image_id: UUID, limit: int = 20) -> list[LabelConflict]:
    """Return the conflicts of this image with others, the newest first."""
    pixels = await database.fetchval("SELECT pixels_sha256 FROM images WHERE image_id = $1", image_id)
    if pixels is None:
        return []
    rows = await database.fetch(
        f"{_CONFLICTS} AND same_pixels.pixels_sha256 = $2 AND $1 IN (later.image_id, earlier.image_id) {_NEWEST} $3",
        image_id,
        pixels,
        limit,
    )
    return [_conflict(row) for row in rows]


def _conflict(row: Row) -> LabelConflict:
    return LabelConflict(
        counting=DecidedLabel(**{name: row[name] for name in _DECIDED}),
        overruled=DecidedLabel(**{name: row[f"earlier_{name}"] for name in _DECIDED}),
    )
