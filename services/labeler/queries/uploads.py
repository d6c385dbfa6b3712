"""Questions about the objects with which uploads began."""

from collections.abc import Collection
from datetime import datetime

from shared.tables.database import Database

_SETTLED = """
SELECT upload_key, max(registered.settled_at) AS settled_at
FROM (SELECT upload_key, CASE
          WHEN withdrawn_at IS NOT NULL THEN greatest(withdrawn_at, stored_at)
          WHEN stored_at IS NOT NULL THEN stored_at
          WHEN rejected_attempt >= attempt AND NOT rejection_retryable AND rejection_reason <> 'upload_missing'
          THEN rejected_at END AS settled_at
      FROM images
      WHERE upload_key > $1 AND upload_key LIKE 'uploads/%' AND ($2::text[] IS NULL OR upload_key = ANY($2))) registered
LEFT JOIN swept_uploads swept USING (upload_key)
GROUP BY upload_key, swept.settled_at
HAVING (SELECT version FROM fold) >= 3 AND count(registered.settled_at) = count(*) AND max(registered.settled_at) <= $3
   AND max(registered.settled_at) IS DISTINCT FROM swept.settled_at
ORDER BY upload_key LIMIT $4
"""
"""An upload that was rejected for a reason that may pass is open: the same bytes are asked for again. Several
registrations may name one object, since its key is the hash of the bytes. Tables that were made by older code do not
know all of them."""


async def settled_uploads(
    database: Database, before: datetime, limit: int, after: str = "", among: Collection[str] | None = None
) -> dict[str, datetime]:
    """Return objects that no registration needs any more, by key in their order, with the time of the last outcome: all
    that name it are stored, withdrawn, or rejected for good, the last at `before` or earlier. Those that were deleted
    since are left out. At most `limit`, with keys after `after`; `among`: only these."""
    rows = await database.fetch(_SETTLED, after, None if among is None else list(among), before, limit)
    return {row["upload_key"]: row["settled_at"] for row in rows}


async def mark_swept(database: Database, key: str, settled_at: datetime) -> None:
    """Remember that the object is deleted, until a later registration puts it again."""
    await database.execute(
        """INSERT INTO swept_uploads (upload_key, settled_at) VALUES ($1, $2)
           ON CONFLICT (upload_key) DO UPDATE SET settled_at = excluded.settled_at""",
        key,
        settled_at,
    )
