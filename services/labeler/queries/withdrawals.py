"""Queries about images that were taken back, and about the models that saw an image."""

import asyncio
from uuid import UUID

from shared.clients.withdrawals import Withdrawal
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.tables.database import Database
from shared.tables.postgres import Row

MOST_READ = 200
"""The manifests that are read to say whether an image is in them: of the newest full models. Whether an older one knew
it, the times say: it was stored before their manifest was cut."""
READ_AT_ONCE = 4

_MAY_HAVE_SEEN = """
SELECT version, models.event ->> 'manifest_key' AS manifest_key
FROM models, images
WHERE image_id = $1 AND lane = 'full'
  AND coalesce((models.event ->> 'manifest_cut_at')::timestamptz, trained_at) >= stored_at - interval '1 minute'
ORDER BY trained_at DESC, version
"""
"""A minute: the two times are those of two machines."""


async def find_seen_by(database: Database, store: ObjectStore, image_id: UUID) -> list[str]:
    """Return the full models whose manifest holds the image, the newest first; a model whose manifest is gone counts,
    if the image was stored before. Raises TransientError if the store does not answer."""
    rows = await database.fetch(_MAY_HAVE_SEEN, image_id)
    reading = asyncio.Semaphore(READ_AT_ONCE)

    async def saw(row: Row) -> bool:
        async with reading:
            try:
                return str(image_id).encode() in await store.get(row["manifest_key"])
            except ObjectMissing:
                return True

    found = await asyncio.gather(*(saw(row) for row in rows[:MOST_READ]))
    later = [True] * len(rows[MOST_READ:])
    return [row["version"] for row, seen in zip(rows, [*found, *later], strict=True) if seen]


_TRAINED_MEANWHILE = """
SELECT version FROM models, images
WHERE image_id = $1 AND lane = 'full' AND trained_at >= withdrawn_at
  AND (models.event ->> 'manifest_cut_at')::timestamptz < withdrawn_at AND version <> ALL(seen_by)
ORDER BY trained_at DESC, version
"""
"""Full models that were in the making when the image was taken back."""
_HELD_BY = """
SELECT DISTINCT version, trained_at FROM models JOIN models_holding($1) USING (version)
ORDER BY trained_at DESC, version
"""
_SERVING = """
WITH RECURSIVE line AS (
    SELECT version, lane, parent FROM models
    WHERE version = (SELECT version FROM promotions WHERE counts ORDER BY sequence DESC LIMIT 1)
    UNION SELECT before.version, before.lane, before.parent
    FROM models before JOIN line ON before.version = line.parent WHERE line.lane = 'fast')
SELECT (SELECT version FROM promotions WHERE counts ORDER BY sequence DESC LIMIT 1)
WHERE EXISTS (SELECT FROM line WHERE lane = 'full' AND version = ANY($1))
   OR (SELECT version FROM promotions WHERE counts ORDER BY sequence DESC LIMIT 1) = ANY($2)
"""


async def withdrawal(database: Database, image_id: UUID) -> Withdrawal | None:
    """Return who took the image back and which models saw it; None if it was not taken back."""
    row = await database.fetchrow("SELECT * FROM images WHERE image_id = $1 AND withdrawn_at IS NOT NULL", image_id)
    if row is None:
        return None
    meanwhile = await database.fetch(_TRAINED_MEANWHILE, image_id)
    seen_by = [*(each["version"] for each in meanwhile), *row["seen_by"]]
    held_by = [each["version"] for each in await database.fetch(_HELD_BY, image_id)]
    return Withdrawal(
        image_id=image_id,
        event_id=row["withdrawn_event_id"],
        withdrawn_by=row["withdrawn_by"],
        reason=row["withdrawn_reason"],
        withdrawn_at=row["withdrawn_at"],
        seen_by=seen_by,
        held_by=held_by,
        serving=await database.fetchval(_SERVING, seen_by, held_by),
    )
