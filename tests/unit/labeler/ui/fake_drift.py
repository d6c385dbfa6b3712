"""A drift as the labeler's API answers it."""

from typing import Any
from uuid import uuid4

from shared.clients.answers import DriftView
from shared.testing.events import NOON


def drift_view(**changes: Any) -> DriftView:
    """Return an open drift of the pictures."""
    values = {
        "event_id": uuid4(),
        "statistic": "features",
        "model_version": "full-1",
        "detected_at": NOON,
        "window_from": NOON,
        "answers": 31,
        "value": 66.4,
        "threshold": 61.8,
        "figures": {},
        "open": True,
    }
    return DriftView.model_validate(values | changes)
