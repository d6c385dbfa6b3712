"""Which stored images look like one of them to the model: what the labeler's API answers, and how it is asked."""

from uuid import UUID

from shared.clients.answers import Body, ShownPrediction
from shared.clients.request import ApiRequest

MAX_SIMILAR = 100
"""The most similar images the API lists at once."""


class SimilarImage(Body):
    """A stored image, its label, and what the model answers about it. `cosine`: how near it lies to the image that was
    asked about, 0 to 1; 1 is the same to the model."""

    image_id: UUID
    cosine: float
    label: str | None
    prediction: ShownPrediction | None


class SimilarImages(Body):
    """The stored images that are nearest to one of them, nearest first. `why_none`: a sentence where there are none."""

    items: list[SimilarImage]
    why_none: str = ""


def get_similar(image_id: UUID, limit: int = 24) -> ApiRequest[SimilarImages]:
    """Get the stored images that are most like this one to the model, at most `limit` (1 to MAX_SIMILAR)."""
    path = f"/images/{image_id}/similar"
    return ApiRequest("GET", path, SimilarImages.model_validate_json, params={"limit": limit})
