"""The table of listed images: every stored image with what people filter and sort by."""

from collections.abc import Collection
from uuid import UUID

from shared.tables.postgres import Transaction


async def list_images(image_ids: Collection[UUID], transaction: Transaction) -> None:
    """Write the rows of these images as the other tables are now. Of withdrawn ones it writes none."""
    await transaction.execute(
        f"""INSERT INTO listed_images AS known SELECT * FROM images_to_list WHERE image_id {among(image_ids)}
           ON CONFLICT (image_id) DO UPDATE SET
               name = excluded.name, name_folded = excluded.name_folded, stored_at = excluded.stored_at,
               label = excluded.label, trust = excluded.trust, flagged = excluded.flagged,
               decided_by = excluded.decided_by, decided_at = excluded.decided_at, side = excluded.side,
               predicted = excluded.predicted, confidence = excluded.confidence,
               model_version = excluded.model_version, disagrees = excluded.disagrees, doubt = excluded.doubt,
               contradiction = excluded.contradiction, to_review = excluded.to_review
           WHERE known IS DISTINCT FROM excluded""",  # noqa: S608 - one of two conditions
        image_ids,
    )


def among(image_ids: Collection[UUID]) -> str:
    """Return the condition "is one of the images $1". The one of a single image is planned once and then kept;
    PostgreSQL plans the one of many anew each time, which takes as long as five images."""
    return "= ($1::uuid[])[1]" if len(image_ids) == 1 else "= ANY($1::uuid[])"


async def unlist_image(image_id: UUID, transaction: Transaction) -> None:
    """Delete the row of an image."""
    await transaction.execute("DELETE FROM listed_images WHERE image_id = $1", image_id)
