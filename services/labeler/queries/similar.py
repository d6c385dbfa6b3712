"""Queries about places: which stored images lie nearest to one of them."""

from services.labeler.queries.images import shown_prediction
from shared.clients.answers import ImageView
from shared.clients.similar import SimilarImage, SimilarImages
from shared.tables.database import Database
from shared.tables.postgres import Row, Transaction

_SETTINGS = """
SELECT set_config('hnsw.ef_search', '200', true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
       set_config('plan_cache_mode', 'force_custom_plan', true)
"""
"""So many candidates are looked at first; then more, until there are enough of the same model (pgvector 0.8). The plan
is made for this very model: where few images have an answer of it, all of them are looked at instead."""
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
"""$1: the image, $2 and $3: its place and the full model that this belongs to, $4: how many at most."""
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
    place = await database.fetchrow(
        "SELECT place::text, full_model_sha256 FROM places WHERE image_id = $1", image.image_id
    )
    if place is None:
        return SimilarImages(items=[], why_none=NOT_ANSWERED if image.prediction is None else NO_PLACE)
    async with database.transaction() as transaction:
        await prepare_search(transaction)
        rows = await transaction.fetch(NEAREST, image.image_id, place["place"], place["full_model_sha256"], limit)
    return SimilarImages(items=[_similar(row) for row in rows], why_none="" if rows else ALONE)


async def prepare_search(transaction: Transaction) -> None:
    """Set what `NEAREST` needs, until the end of the transaction."""
    await transaction.execute(_SETTINGS)


def _similar(row: Row) -> SimilarImage:
    cosine = min(1.0, max(0.0, 1.0 - row["distance"]))
    return SimilarImage(
        image_id=row["image_id"], cosine=round(cosine, 4), label=row["label"], prediction=shown_prediction(row)
    )
