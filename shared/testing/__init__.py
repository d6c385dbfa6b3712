"""Doubles for tests, held to the same contract tests as the real ones, and one factory for each event."""

from shared.testing.clock import FixedClock
from shared.testing.event_log import MemoryEventLog
from shared.testing.events import (
    answers_logged,
    drift_detected,
    group_on,
    image_registered,
    image_rejected,
    image_scored,
    image_stored,
    image_withdrawn,
    label_corrected,
    label_set_changed,
    label_voted,
    model_loaded,
    model_promoted,
    model_rejected,
    model_trained,
    prediction_completed,
    prediction_logged,
    prediction_requested,
    promotion_requested,
    training_requested,
    trial_compared,
    trial_started,
)
from shared.testing.reading import read_all
from shared.testing.schema import FreshSchema, fresh_schema
from shared.testing.store import MemoryObjectStore
from shared.testing.waiting import eventually

__all__ = [
    "FixedClock",
    "FreshSchema",
    "MemoryEventLog",
    "MemoryObjectStore",
    "answers_logged",
    "drift_detected",
    "eventually",
    "fresh_schema",
    "group_on",
    "image_registered",
    "image_rejected",
    "image_scored",
    "image_stored",
    "image_withdrawn",
    "label_corrected",
    "label_set_changed",
    "label_voted",
    "model_loaded",
    "model_promoted",
    "model_rejected",
    "model_trained",
    "prediction_completed",
    "prediction_logged",
    "prediction_requested",
    "promotion_requested",
    "read_all",
    "training_requested",
    "trial_compared",
    "trial_started",
]
