"""The tombstones of images that people took back: the same bytes, and the same image, are not stored again."""

from uuid import UUID

from services.ingestor.decisions.rejection import Rejection
from services.ingestor.decisions.withdrawn import because
from shared.contract.events import ImageWithdrawn
from shared.tables.database import Database, Transaction


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


async def refuse(tables: Database | Transaction, image_id: UUID, sha256: str | None = None) -> Rejection | None:
    """Return why the image, or these bytes, are not taken: they were withdrawn. None if they were not."""
    row = await tables.fetchrow(
        """SELECT image_id, withdrawn_by, reason, withdrawn_at FROM tombstones
           WHERE image_id = $1 OR sha256 = $2 ORDER BY withdrawn_at, image_id LIMIT 1""",
        image_id,
        sha256,
    )
    return None if row is None else because(row["image_id"], row["withdrawn_by"], row["reason"], row["withdrawn_at"])
