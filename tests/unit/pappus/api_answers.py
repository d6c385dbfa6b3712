"""Answers of the two APIs as JSON values, for the fake APIs."""

from typing import Any
from uuid import UUID, uuid4

from shared.clients.answers import (
    ChampionView,
    DriftView,
    HistoryEntry,
    ImageView,
    ModelView,
    Prediction,
    Session,
)
from shared.testing.events import NOON


def session() -> dict[str, Any]:
    """Return a login."""
    return Session(token="t", name="labeler", role="labeler", expires_at=NOON).model_dump(mode="json")


def image(image_id: UUID) -> dict[str, Any]:
    """Return a stored image without a label."""
    stored = ImageView(
        image_id=image_id,
        state="stored",
        label=None,
        revision=0,
        trust="claimed",
        sha256="0" * 64,
        width=1,
        height=1,
        source="upload",
        registered_by="labeler",
        corrected_by=None,
        attempt=1,
    )
    return stored.model_dump(mode="json")


def drift(**changes: Any) -> dict[str, Any]:
    """Return an open drift of the pictures."""
    values = {
        "event_id": UUID(int=5),
        "statistic": "features",
        "model_version": "full-0123456789abcdef",
        "detected_at": NOON,
        "window_from": NOON,
        "answers": 31,
        "value": 66.4,
        "threshold": 61.8,
        "figures": {"confidence": 0.71, "expected_confidence": 0.93},
        "open": True,
    }
    return DriftView.model_validate(values | changes).model_dump(mode="json")


def history_entry(**changes: Any) -> dict[str, Any]:
    """Return an applied correction to grass."""
    required = (name for name, field in HistoryEntry.model_fields.items() if field.is_required())
    values: dict[str, Any] = dict.fromkeys(required)
    values |= {"event_id": uuid4(), "revision": 1, "label_to": "grass", "corrected_by": "labeler", "reason": ""}
    values |= {"occurred_at": NOON, "state": "applied", **changes}
    return HistoryEntry.model_validate(values).model_dump(mode="json")


def _model(version: str, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(ModelView.model_fields)
    values |= {"version": version, "lane": "fast", "state": "former", "sequence": 1, "summary": ""}
    return (
        values
        | {"verdict": [], "metrics": {}, "seconds": {}, "corrections": 0, "promotions": []}
        | {"waits_for_approval": False, **changes}
    )


def model(version: str, summary: str = "") -> dict[str, Any]:
    """Return a model that served before."""
    return ModelView.model_validate(_model(version, summary=summary)).model_dump(mode="json")


def champion(*, frozen: bool) -> dict[str, Any]:
    """Return the model in service."""
    values = _model("fast-1", state="champion", frozen=frozen, requested_by=None)
    return ChampionView.model_validate(values).model_dump(mode="json")


def prediction(corrected: UUID) -> dict[str, Any]:
    """Return a prediction of grass that `corrected` shaped."""
    values = {
        "prediction_id": uuid4(),
        "label": "grass",
        "probabilities": {"grass": 0.9, "dandelion": 0.1},
        "model_version": "fast-1",
        "model_sequence": 1,
        "trace_id": None,
        "milliseconds": 3.0,
        "sha256": "0" * 64,
        "replica": "0",
        "corrections": [{"image_id": corrected, "weight": 0.5}],
    }
    return Prediction.model_validate(values).model_dump(mode="json")
