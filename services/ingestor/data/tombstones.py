"""The tombstones of images that people took back: the same bytes, and the same image, are not stored again."""

from collections.abc import Sequence
from uuid import UUID

from services.ingestor.decisions.withdrawn import because
from shared.contract.events import ImageWithdrawn
from shared.tables.database import Database, Transaction
from shared.web.rejection import Rejection

Asked = tuple[UUID, str | None]
"""An image, and the sha256 of its bytes; None while they are not known."""


async def enter(transaction: Transaction, event: ImageWithdrawn) -> None:
    """Write the tombstone, and forget what the ledger knows of the image: its bytes, and what it looked like. The first
    withdrawal of an image counts."""
    await transaction.execute(
        """INSERT INTO tombstones (image_id, event_id, sha256, withdrawn_by, reason, withdrawn_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING""",
        event.image_id,
        event.event_id,
        event.sha256,
        event.withdrawn_by,
        event.reason,
        event.occurred_at,
    )
    await transaction.execute("DELETE FROM ledger WHERE image_id = $1 AND sha256 IS NOT NULL", event.image_id)
    await transaction.execute("DELETE FROM looks WHERE image_id = $1", event.image_id)


async def refuse(tables: Database | Transaction, asked: Sequence[Asked]) -> list[Rejection | None]:
    """Return for each image, with its bytes if they are known, why it is not taken: it was withdrawn. None if not."""
    rows = await tables.fetch(
        """SELECT image_id, sha256, withdrawn_by, reason, withdrawn_at FROM tombstones
           WHERE image_id = ANY($1) OR sha256 = ANY($2) ORDER BY withdrawn_at, image_id""",
        [image_id for image_id, _ in asked],
        [sha256 for _, sha256 in asked if sha256 is not None],
    )

    def first(image_id: UUID, sha256: str | None) -> Rejection | None:
        for row in rows:
            if row["image_id"] == image_id or (sha256 is not None and row["sha256"] == sha256):
                return because(row["image_id"], row["withdrawn_by"], row["reason"], row["withdrawn_at"])
        return None

    return [first(*each) for each in asked]
