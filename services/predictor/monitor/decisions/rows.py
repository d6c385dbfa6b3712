"""The rows of the monitor's tables, and how events become rows. Pure; rows are JSON.

A row of `answers` or `outcomes` stands for one event and never changes. The row of a watch says up to which offsets
they are counted in it: it is written as a whole, so nothing is counted twice after a restart.
"""

import re
from typing import TypedDict
from uuid import UUID

from shared.contract.events import LabelCorrected
from shared.contract.replicas import MOST_ANSWERS, PredictionLogged
from shared.drift.sketch import NUMBERS

DIGEST_DIGITS = 16
API = "api"
REFERENCE = re.compile(r"[0-9a-f]{16}")
LONGEST_NAME = 200
LARGEST = 1e9
"""No number of a sketch is larger; those that a stranger sends may be."""


class Position(TypedDict):
    """The place of an event in the log: its partition as text, and its offset."""

    partition: str
    offset: int


def position_within(topic: str, partition: int, offset: int, index: int) -> Position:
    """Return the place of one of several answers in a record: places of a partition are in order, and each has one."""
    return {"partition": f"{topic}/{partition}", "offset": offset * MOST_ANSWERS + index}


class AnswerRow(Position):
    """One answer to the API: when (seconds since 1970), by which version, what, how sure (0 to 1), and its sketch [16].
    `reference`: what it is compared with."""

    event_id: str
    at: float
    version: str
    reference: str
    label: str
    confidence: float
    sketch: list[float]


class OutcomeRow(Position):
    """What a person said about an answer: when, about which version, whether they agreed, and how sure the answer was
    (0 to 1)."""

    event_id: str
    at: float
    version: str
    right: bool
    probability: float


def answer_row(event: PredictionLogged, event_id: UUID, position: Position, at: float) -> AnswerRow | None:
    """Return the row of an answer that was appended at `at`, in the event with this id; None if it is not compared: it
    was not asked over the API, its model has no reference, or it holds what no answer holds."""
    probability = event.probabilities.get(event.label, -1.0)
    possible = 0 <= probability <= 1 and len(event.projection) == NUMBERS
    if event.source != API or not possible or not REFERENCE.fullmatch(event.drift_reference):
        return None
    if max(map(abs, event.projection)) > LARGEST or max(len(event.label), len(event.model_version)) > LONGEST_NAME:
        return None
    return {
        **position,
        "event_id": str(event_id),
        "at": at,
        "version": event.model_version,
        "reference": event.drift_reference,
        "label": event.label,
        "confidence": probability,
        "sketch": list(event.projection),
    }


def answer_key(event: PredictionLogged) -> str:
    """Return what answers have in common that count once: the picture, and the reference. A picture that is asked again
    and again says nothing new."""
    return f"{event.drift_reference}/{event.sha256[-DIGEST_DIGITS:]}"


def outcome_row(event: LabelCorrected, position: Position, at: float) -> OutcomeRow | None:
    """Return the row of what a person said at `at`; None if they saw no answer or set no label, or if it is not known
    how sure the answer was, as in events of earlier releases."""
    version, probability = event.shown_model_version, event.shown_probability
    if version is None or event.shown_label is None or event.label_to is None or probability is None:
        return None
    if len(version) > LONGEST_NAME:
        return None
    return {
        **position,
        "event_id": str(event.event_id),
        "at": at,
        "version": version,
        "right": event.label_to == event.shown_label,
        "probability": probability,
    }


def outcome_key(event: LabelCorrected) -> str:
    """Return what outcomes have in common that count once: the image, and the version that was shown. The first
    decision counts: who corrects themself has seen the answer to their own correction."""
    return f"{event.image_id}/{event.shown_model_version}"
