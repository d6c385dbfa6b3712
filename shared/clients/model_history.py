"""What the labeler's API answers about many models at once and about two of them, and its requests."""

from typing import Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter

from shared.clients.answers import Body, ModelView
from shared.clients.request import ApiRequest
from shared.contract.split import Side

MAX_POINTS = 1000
"""The most promotions the API lists at once."""
MAX_GENERATIONS = 200
"""The most full models the API lists with what stands on them."""


class Generation(Body):
    """A full model and the versions with more corrections that stand on it: how many were made, how many of them
    `served`, and how many the gate `rejected`. `newest` is the last of them that served, None if none did."""

    model: ModelView
    versions: int
    served: int
    rejected: int
    newest: ModelView | None


class PromotionPoint(Body):
    """One promotion that counts, and the accuracy of its version on the locked test images, 0 to 1, None if it was not
    measured. `route` says what it was: "rollback", "freeze", ..."""

    sequence: int
    version: str
    lane: Literal["fast", "full"]
    route: str
    accuracy: float | None
    frozen: bool
    requested_by: str | None
    summary: str
    promoted_at: AwareDatetime


class CurvePoint(Body):
    """A version that served: from how many labels it has learned, how many of the test images were `right` when it was
    promoted, and the share with its 95 % interval, 0 to 1."""

    version: str
    sequence: int
    labels: int
    images: int
    right: int
    accuracy: float
    low: float
    high: float


class LastLabels(Body):
    """What the last `labels` labels brought: of `images` test images the champion has `gained` right that were wrong in
    the version `since`, and `lost` the other way round. `low` and `high`: the 95 % interval of the difference, -1 to 1.
    `verdict`: "helped": it is above 0. "harmed": it is below 0. "enough": it is below a point. "open": it may be
    either."""

    since: str
    labels: int
    images: int
    gained: int
    lost: int
    low: float
    high: float
    verdict: Literal["helped", "enough", "harmed", "open"]


class LearningCurve(Body):
    """Accuracy over the number of labels, in the order of service. `last` is None where nothing can be said about the
    last labels, and then `why_none` says why."""

    points: list[CurvePoint]
    last: LastLabels | None
    why_none: str = ""


class ComparedImage(Body):
    """A test image that two models answer differently, and the label that it has now."""

    image_id: UUID
    label: str | None


class ModelComparison(Body):
    """Test images that `version` has right and `against` wrong (`gained`), and the other way round (`lost`), as the
    verdicts between the two say. `why_incomplete`: a sentence where they do not name all of them, else empty."""

    version: str
    against: str
    gained: list[ComparedImage]
    lost: list[ComparedImage]
    why_incomplete: str = ""


class LearnedFrom(Body):
    """The label with which a model has learned an image, or was tested with it, as `side` says."""

    label: str
    side: Side


class DataChange(Body):
    """One image of which two data sets differ; `before` or `after` is None where it is missing."""

    image_id: UUID
    before: LearnedFrom | None
    after: LearnedFrom | None


class DataDifference(Body):
    """What `version` has learned from and `against` has not, and so on: how many images, and the first of them."""

    version: str
    against: str
    added: int
    removed: int
    relabelled: int
    changes: list[DataChange]


_GENERATIONS = TypeAdapter(list[Generation])
_POINTS = TypeAdapter(list[PromotionPoint])
_MODELS = TypeAdapter(list[ModelView])


def list_generations(limit: int = 20) -> ApiRequest[list[Generation]]:
    """Get the newest full models, newest first, each with what stands on it."""
    return ApiRequest("GET", "/models/generations", _GENERATIONS.validate_json, params={"limit": limit})


def list_promotions(limit: int = 500) -> ApiRequest[list[PromotionPoint]]:
    """Get the newest promotions that count, oldest first."""
    return ApiRequest("GET", "/models/promotions", _POINTS.validate_json, params={"limit": limit})


def get_learning_curve() -> ApiRequest[LearningCurve]:
    """Get how accuracy went with the number of labels."""
    return ApiRequest("GET", "/models/learning-curve", LearningCurve.model_validate_json)


def list_versions_on(version: str, limit: int = 50) -> ApiRequest[list[ModelView]]:
    """Get the newest models that stand on a full one, newest first."""
    return ApiRequest("GET", f"/models/{_quoted(version)}/versions", _MODELS.validate_json, params={"limit": limit})


def compare_models(version: str, against: str) -> ApiRequest[ModelComparison]:
    """Get the test images that the two models answer differently."""
    path = f"/models/{_quoted(version)}/against/{_quoted(against)}"
    return ApiRequest("GET", path, ModelComparison.model_validate_json)


def get_data_difference(version: str, against: str, limit: int = 24) -> ApiRequest[DataDifference]:
    """Get how the data sets of two models differ, with at most `limit` images."""
    path = f"/models/{_quoted(version)}/data-against/{_quoted(against)}"
    return ApiRequest("GET", path, DataDifference.model_validate_json, params={"limit": limit})


def _quoted(version: str) -> str:
    return quote(version, safe="")
