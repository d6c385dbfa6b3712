"""The rows of the monitor's tables, and how events become rows. Pure; rows are JSON.

A row of `answers` or `outcomes` stands for one event and never changes. The row of a watch says up to which offsets
they are counted in it: it is written as a whole, so nothing is counted twice after a restart.
"""

from typing import TypedDict

from shared.contract.events import LabelCorrected, PredictionLogged

DIGEST_DIGITS = 16
API = "api"


class Position(TypedDict):
    """The place of an event in the log: its partition as text, and its offset."""

    partition: str
    offset: int


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
    """What a person said about an answer: when, about which version, and whether they agreed."""

    event_id: str
    at: float
    version: str
    right: bool


def answer_row(event: PredictionLogged, position: Position) -> AnswerRow | None:
    """Return the row of an answer; None if it is not compared: it was not asked over the API, or its model has no
    reference."""
    if event.source != API or not event.drift_reference or event.label not in event.probabilities:
        return None
    return {
        **position,
        "event_id": str(event.event_id),
        "at": event.occurred_at.timestamp(),
        "version": event.model_version,
        "reference": event.drift_reference,
        "label": event.label,
        "confidence": event.probabilities[event.label],
        "sketch": list(event.projection),
    }


def answer_key(event: PredictionLogged) -> str:
    """Return what answers have in common that count once: the picture, and the reference. A picture that is asked again
    and again says nothing new."""
    return f"{event.drift_reference}/{event.sha256[-DIGEST_DIGITS:]}"


def outcome_row(event: LabelCorrected, position: Position) -> OutcomeRow | None:
    """Return the row of what a person said; None if they saw no answer, or set no label."""
    if event.shown_model_version is None or event.shown_label is None or event.label_to is None:
        return None
    return {
        **position,
        "event_id": str(event.event_id),
        "at": event.occurred_at.timestamp(),
        "version": event.shown_model_version,
        "right": event.label_to == event.shown_label,
    }


def outcome_key(event: LabelCorrected) -> str:
    """Return what outcomes have in common that count once: the image, and the version that was shown. The first
    decision counts: who corrects themself has seen the answer to their own correction."""
    return f"{event.image_id}/{event.shown_model_version}"
