"""The requests of the labeler's API, one function each. Send them with `AsyncApi` or `BlockingApi`."""

from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import TypeAdapter

from shared.clients.answers import (
    Accepted,
    AcceptedImage,
    Applied,
    ChampionView,
    DriftView,
    FirstModel,
    GateAnswer,
    HistoryEntry,
    ImageView,
    LabelConflict,
    Labels,
    ModelView,
    ReviewQueue,
    Session,
    Uploaded,
)
from shared.clients.browse import ImageFilter, Sort
from shared.clients.request import ApiRequest, idempotency
from shared.clients.review import QueueName
from shared.contract.events import NoLabel

MAX_MODELS = 1000
"""The most models the API lists at once."""
MAX_REVIEW_ITEMS = 1000
"""The most images one review queue holds."""
MAX_LEASED_ITEMS = 200
"""The most images that one person has before them."""
GateAction = Literal["rollback", "approve", "override", "freeze", "unfreeze"]

_UPLOADED: TypeAdapter[Uploaded | AcceptedImage] = TypeAdapter(Uploaded | AcceptedImage)
_APPLIED: TypeAdapter[Applied | AcceptedImage] = TypeAdapter(Applied | AcceptedImage)
_GATE_ANSWER: TypeAdapter[GateAnswer | Accepted] = TypeAdapter(GateAnswer | Accepted)
_CHAMPION: TypeAdapter[ChampionView | None] = TypeAdapter(ChampionView | None)
_IMAGES = TypeAdapter(list[ImageView])
_CONFLICTS = TypeAdapter(list[LabelConflict])
_HISTORY = TypeAdapter(list[HistoryEntry])
_MODELS = TypeAdapter(list[ModelView])
_DRIFTS = TypeAdapter(list[DriftView])


def log_in(name: str, password: str) -> ApiRequest[Session]:
    """Start a session; its token authenticates later requests."""
    return ApiRequest("POST", "/login", Session.model_validate_json, json={"name": name, "password": password})


def get_labels() -> ApiRequest[Labels]:
    """Get the labels an image can have."""
    return ApiRequest("GET", "/labels", Labels.model_validate_json)


def get_review_queue(
    limit: int, queue: QueueName = "doubtful", asked: ImageFilter | None = None, sort: Sort = "newest"
) -> ApiRequest[ReviewQueue]:
    """Get the next images of a queue, at most `limit` (1 to MAX_REVIEW_ITEMS). `asked` and `sort` say what the queue
    "filter" holds."""
    params: dict[str, Any] = {"limit": limit} | ({} if queue == "doubtful" else {"queue": queue})
    if asked is not None:
        params |= asked.params() | {"sort": sort}
    return ApiRequest("GET", "/review", ReviewQueue.model_validate_json, params=params)


def lease_review_queue(
    limit: int, queue: QueueName = "doubtful", asked: ImageFilter | None = None, sort: Sort = "newest"
) -> ApiRequest[ReviewQueue]:
    """Take the next images of a queue, at most `limit` (1 to MAX_LEASED_ITEMS): no other person gets them for now."""
    body = {"limit": limit, "queue": queue, "filter": {} if asked is None else asked.params(), "sort": sort}
    return ApiRequest("POST", "/review/lease", ReviewQueue.model_validate_json, json=body)


def upload_image(
    name: str, data: bytes, key: str | None = None, label: str | None = None
) -> ApiRequest[Uploaded | AcceptedImage]:
    """Upload an image file, with its label if it is known; AcceptedImage if it is not stored in time."""
    form = None if label is None else {"label": label}
    headers = idempotency(key)
    return ApiRequest("POST", "/images", _UPLOADED.validate_json, file=(name, data), form=form, headers=headers)


def get_image(image_id: UUID) -> ApiRequest[ImageView]:
    """Get one image."""
    return ApiRequest("GET", f"/images/{image_id}", ImageView.model_validate_json)


def find_images(sha256: str) -> ApiRequest[list[ImageView]]:
    """Get the stored images with these bytes: none or one."""
    return ApiRequest("GET", "/images", _IMAGES.validate_json, params={"sha256": sha256})


def get_image_content(image_id: UUID) -> ApiRequest[bytes]:
    """Get the bytes of a stored image."""
    return ApiRequest("GET", f"/images/{image_id}/content", bytes)


def get_rendition(image_id: UUID, longest_side: int) -> ApiRequest[bytes]:
    """Get a stored image as a JPEG that is upright and at most so many pixels wide and high."""
    return ApiRequest("GET", f"/images/{image_id}/rendition", bytes, params={"w": longest_side})


def get_history(image_id: UUID) -> ApiRequest[list[HistoryEntry]]:
    """Get every revision of the image's label, the registered one first."""
    return ApiRequest("GET", f"/images/{image_id}/history", _HISTORY.validate_json)


def list_conflicts(limit: int = 20) -> ApiRequest[list[LabelConflict]]:
    """Get the newest conflicts in which one of the two labels is yours, newest first."""
    return ApiRequest("GET", "/conflicts", _CONFLICTS.validate_json, params={"limit": limit})


def list_quarantined(limit: int = 20) -> ApiRequest[list[ImageView]]:
    """Get the newest images that resemble images of both sides of the split, with those that they resemble."""
    return ApiRequest("GET", "/quarantine", _IMAGES.validate_json, params={"limit": limit})


def correct_label(
    image_id: UUID,
    label: str | None,
    revision: int,
    *,
    no_label: NoLabel | None = None,
    reason: str = "",
    prediction_id: UUID | None = None,
    shown_model_version: str | None = None,
    shown_label: str | None = None,
    shown_probability: float | None = None,
    vote: bool = False,
    key: str | None = None,
) -> ApiRequest[Applied | AcceptedImage]:
    """Set the label of an image that was seen at `revision`, or none: then `no_label` says why. The shown values are
    the model's answer the person saw. `vote`: where labels are voted about, count it as a vote, also an operator's."""
    body = {
        "label": label,
        "no_label": no_label,
        "revision": revision,
        "reason": reason,
        "prediction_id": None if prediction_id is None else str(prediction_id),
        "shown_model_version": shown_model_version,
        "shown_label": shown_label,
        "shown_probability": shown_probability,
    } | ({"vote": True} if vote else {})
    return ApiRequest("POST", f"/images/{image_id}/label", _APPLIED.validate_json, json=body, headers=idempotency(key))


def list_models(limit: int = MAX_MODELS) -> ApiRequest[list[ModelView]]:
    """Get the newest models, newest first."""
    return ApiRequest("GET", "/models", _MODELS.validate_json, params={"limit": limit})


def get_model(version: str) -> ApiRequest[ModelView]:
    """Get one model, with what its verdict rests on."""
    return ApiRequest("GET", f"/models/{quote(version, safe='')}", ModelView.model_validate_json)


def get_champion() -> ApiRequest[ChampionView | None]:
    """Get the model in service, None before the first promotion."""
    return ApiRequest("GET", "/models/champion", _CHAMPION.validate_json, none_if_missing=True)


def list_drifts(limit: int = 50) -> ApiRequest[list[DriftView]]:
    """Get the newest drifts, newest first."""
    return ApiRequest("GET", "/drifts", _DRIFTS.validate_json, params={"limit": limit})


def get_first_model() -> ApiRequest[FirstModel]:
    """Get what the first model waits for."""
    return ApiRequest("GET", "/models/first", FirstModel.model_validate_json)


def ask_gate(
    action: GateAction, reason: str, version: str | None = None, key: str | None = None
) -> ApiRequest[GateAnswer | Accepted]:
    """Request a promotion decision from the gate; freeze and unfreeze take no version."""
    body = {"reason": reason} | ({} if version is None else {"version": version})
    return ApiRequest("POST", f"/models/{action}", _GATE_ANSWER.validate_json, json=body, headers=idempotency(key))


def request_training(reason: str, key: str | None = None) -> ApiRequest[Accepted]:
    """Request a full training."""
    body = {"reason": reason}
    return ApiRequest("POST", "/trainings", Accepted.model_validate_json, json=body, headers=idempotency(key))
