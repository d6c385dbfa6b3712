"""Queries about labels that contradict the data set: what is known about all labelled images, and what was found."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from shared.tables.database import Database
from shared.tables.postgres import Row

AT_ONCE = 5_000
_MODEL = "SELECT full_model_sha256 FROM places GROUP BY full_model_sha256 ORDER BY count(*) DESC, 1 LIMIT 1"
"""While a new full model answers about all images, the one before has more."""
_LABELLED = """
SELECT image_id, listed.label, images.group_id, listed.to_review, halfvec_send(place) AS place
FROM places JOIN listed_images listed USING (image_id) JOIN images USING (image_id)
WHERE full_model_sha256 = $1 AND listed.label IS NOT NULL AND image_id > $2 ORDER BY image_id LIMIT $3
"""
_KEEP = """
INSERT INTO label_doubts AS known (image_id, label, similar_label, doubt)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::double precision[])
ON CONFLICT (image_id) DO UPDATE SET
    label = excluded.label, similar_label = excluded.similar_label, doubt = excluded.doubt
WHERE known IS DISTINCT FROM excluded
"""
Doubt = tuple[UUID, str, str, float]
"""An image, its label, the label of images like it, and how much that leads, 0 to about 1."""


async def labelled_places(database: Database) -> AsyncIterator[Sequence[Row]]:
    """Yield all labelled images with a place of the full model that most images have one of, some thousand at a time.
    `place` is as PostgreSQL sends a halfvec: two whole numbers of two bytes, the first how many halves follow, with the
    highest byte first."""
    model, after = await database.fetchval(_MODEL), UUID(int=0)
    while rows := await database.fetch(_LABELLED, model, after, AT_ONCE):
        yield rows
        after = rows[-1]["image_id"]


async def keep_doubts(database: Database, found: Sequence[Doubt]) -> None:
    """Write these labels that contradict the data set, and delete all others."""
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
    async with database.transaction() as transaction:
        await transaction.execute("DELETE FROM label_doubts WHERE image_id <> ALL($1::uuid[])", columns[0])
        await transaction.execute(_KEEP, *columns)
