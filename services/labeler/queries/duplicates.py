"""Questions whether a picture is stored: by its pixels, and by what it looks like."""

from uuid import UUID

from shared.tables.database import Database

_NEAREST = """
SELECT image_id, bits FROM (
    SELECT image_id, stored_at, least(bit_count((perceptual_hash # $1::bigint)::bit(64)),
                                      bit_count((perceptual_hash # $2::bigint)::bit(64))) AS bits
    FROM images WHERE perceptual_hash IS NOT NULL AND withdrawn_at IS NULL
) AS compared WHERE bits <= $3 ORDER BY bits, stored_at, image_id LIMIT $4
"""


async def image_of_pixels(database: Database, pixels_sha256: str) -> UUID | None:
    """Return the first stored image with these pixels; None without one."""
    found: UUID | None = await database.fetchval(
        """SELECT image_id FROM images
           WHERE pixels_sha256 = $1 AND stored_at IS NOT NULL AND withdrawn_at IS NULL
           ORDER BY stored_at, image_id LIMIT 1""",
        pixels_sha256,
    )
    return found


async def nearest_images(
    database: Database, hashes: tuple[int, int], farthest_bits: int, limit: int
) -> list[tuple[UUID, int]]:
    """Return stored images whose perceptual hash differs in few bits from either of these, the nearest first, each with
    in how many."""
    rows = await database.fetch(_NEAREST, *hashes, farthest_bits, limit)
    return [(row["image_id"], row["bits"]) for row in rows]
