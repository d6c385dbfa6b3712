"""Which image gives the label of pixels that several images have: the table `same_pixels`."""

from uuid import UUID

from shared.contract.same_pixels import PictureLabel, find_deciding_image
from shared.tables.projection import Transaction


async def decide_same_pixels(image_id: UUID, transaction: Transaction) -> None:
    """Write which image gives the label of the pixels of this image, if others have them, too. A withdrawn one
    decides nothing."""
    rows = await transaction.fetch(
        """SELECT same.pixels_sha256, same.image_id, same.stored_label AS label, same.stored_trust AS trust,
                  same.stored_at, decision.occurred_at AS decided_at
           FROM images one JOIN images same USING (pixels_sha256)
           LEFT JOIN label_history decision ON decision.applied
               AND (decision.image_id, decision.revision) = (same.image_id, same.held_revision)
           WHERE one.image_id = $1 AND same.withdrawn_at IS NULL""",
        image_id,
    )
    if len(rows) < 2:
        return
    pictures = [PictureLabel(**{name: row[name] for name in PictureLabel.__dataclass_fields__}) for row in rows]
    await transaction.execute(
        """INSERT INTO same_pixels (pixels_sha256, image_id) VALUES ($1, $2)
           ON CONFLICT (pixels_sha256) DO UPDATE SET image_id = excluded.image_id""",
        rows[0]["pixels_sha256"],
        find_deciding_image(pictures),
    )


async def decide_without(image_id: UUID, transaction: Transaction) -> None:
    """Decide again about the pixels of this image, which was withdrawn: of fewer than two others nothing is
    written."""
    await transaction.execute(
        "DELETE FROM same_pixels WHERE pixels_sha256 = (SELECT pixels_sha256 FROM images WHERE image_id = $1)", image_id
    )
    await decide_same_pixels(image_id, transaction)
