"""Queries about places: which stored images lie nearest to one of them."""

from uuid import UUID

from services.labeler.queries.images import shown_prediction
from shared.clients.answers import ImageView
from shared.clients.similar import SimilarImage, SimilarImages
from shared.tables.database import Database
from shared.tables.postgres import Row, Transaction

FEW = 5_000
"""So many places of a full model are compared one by one, which takes some milliseconds and misses none. The index
holds the places of all models: it would have to look at too many others first."""
_SETTINGS = """
SELECT set_config('hnsw.ef_search', '400', true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
       set_config('plan_cache_mode', 'force_custom_plan', true)
"""
"""The index looks at so many candidates, then at more, until there are enough of the same model (pgvector 0.8)."""
NEAREST = """
WITH nearest AS MATERIALIZED (
    SELECT image_id, place <=> $2::text::halfvec AS distance FROM places
    WHERE full_model_sha256 = $3 AND image_id <> $1 ORDER BY place <=> $2::text::halfvec LIMIT $4
)
SELECT image_id, distance, images.label,
       prediction_id, predictions.label AS predicted_label, probabilities, model_version
FROM nearest JOIN current_images images USING (image_id) LEFT JOIN predictions USING (image_id)
WHERE stored_at IS NOT NULL ORDER BY distance, image_id
"""
"""By the index. $1: the image, $2 and $3: its place and the full model that this belongs to, $4: how many at most."""
COMPARED = NEAREST.replace("ORDER BY place <=> $2::text::halfvec", "ORDER BY (place <=> $2::text::halfvec) + 0")
"""The same of all places of the model: a sum is in no index."""

NOT_STORED = "This image is not stored, so the model has not looked at it."
NOT_ANSWERED = "The model has not looked at this image yet. Try again in a moment."
NO_PLACE = (
    "The model that answered last says no place of this image, so it cannot be compared. The next full model says one:"
    " `pappus train` asks for it."
)
ALONE = "No other image has an answer of the full model that answered about this one. Try again in a while."


async def similar_images(database: Database, image: ImageView, limit: int) -> SimilarImages:
    """Return the stored images whose place is nearest to that of `image`, of the same full model; or why there are
    none."""
    if image.state != "stored":
        return SimilarImages(items=[], why_none=NOT_STORED)
    rows = await find_nearest(database, image.image_id, limit)
    if rows is None:
        return SimilarImages(items=[], why_none=NOT_ANSWERED if image.prediction is None else NO_PLACE)
    return SimilarImages(items=[_similar(row) for row in rows], why_none="" if rows else ALONE)


async def find_nearest(database: Database, image_id: UUID, limit: int, few: int = FEW) -> list[Row] | None:
    """Return the nearest images with `distance`, 0 to 2, the nearest first; None if this one has no place. With more
    than `few` places of its model they are looked for by the index, which misses some."""
    asked = await database.fetchrow("SELECT place::text, full_model_sha256 FROM places WHERE image_id = $1", image_id)
    if asked is None:
        return None
    async with database.transaction() as transaction:
        found = await transaction.fetchval(
            "SELECT count(*) FROM (SELECT FROM places WHERE full_model_sha256 = $1 LIMIT $2) AS few",
            asked["full_model_sha256"],
            few + 1,
        )
        await set_up_search(transaction)
        query = NEAREST if found > few else COMPARED
        return list(await transaction.fetch(query, image_id, asked["place"], asked["full_model_sha256"], limit))


async def set_up_search(transaction: Transaction) -> None:
    """Set how the index is searched, until the end of the transaction."""
    await transaction.execute(_SETTINGS)


def _similar(row: Row) -> SimilarImage:
    cosine = min(1.0, max(0.0, 1.0 - row["distance"]))
    return SimilarImage(
        image_id=row["image_id"], cosine=round(cosine, 4), label=row["label"], prediction=shown_prediction(row)
    )
