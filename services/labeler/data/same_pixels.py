"""What the labeler knows of images with the same pixels, one of which gives their label."""

from collections.abc import Sequence
from uuid import UUID

from services.labeler.data.listed_images import among
from shared.tables.postgres import Transaction
from shared.tables.same_pixels import SamePixels

SAME_PIXELS = SamePixels(
    """SELECT same.pixels_sha256, same.image_id, same.stored_label AS label, same.stored_trust AS trust,
              same.stored_at, decision.occurred_at AS decided_at
       FROM images one JOIN images same USING (pixels_sha256)
       LEFT JOIN label_history decision ON decision.applied
           AND (decision.image_id, decision.revision) = (same.image_id, same.held_revision)
       WHERE one.image_id = $1 AND same.withdrawn_at IS NULL"""
)


async def find_copies(image_ids: Sequence[UUID], transaction: Transaction) -> dict[str, list[UUID]]:
    """Return all images that have the pixels of one of these and are not alone with them, by the hash of the pixels."""
    rows = await transaction.fetch(
        f"""SELECT DISTINCT pixels_sha256, unnest(ARRAY[one.image_id, same.image_id]) AS image_id
           FROM images one JOIN images same USING (pixels_sha256)
           WHERE one.image_id {among(image_ids)} AND same.image_id <> one.image_id""",  # noqa: S608 - one of two conditions
        image_ids,
    )
    copies: dict[str, list[UUID]] = {}
    for row in rows:
        copies.setdefault(row["pixels_sha256"], []).append(row["image_id"])
    return copies
