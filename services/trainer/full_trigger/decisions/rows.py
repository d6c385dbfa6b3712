"""What the trigger remembers of each event, as rows of its tables. Pure; rows are JSON.

A row never holds a count, only what each event contributed, so folding an event twice changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from shared.contract.events import DriftDetected, Event, ImageStored, LabelCorrected, ModelTrained, TrainingRequested
from shared.contract.race_rules import label_applies

KEPT_REQUESTS = 20
KEPT_DRIFTS = 100


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where and when the log took an event: "topic/partition", offset, seconds since 1970."""

    partition: str
    offset: int
    at: float


class LoggedEvent(TypedDict):
    """One event: its id, and where and when the log took it."""

    event_id: str
    partition: str
    offset: int
    at: float


class ImageRow(TypedDict):
    """One stored image; `trusted` as it came, before any correction."""

    stored: LoggedEvent
    label: str | None
    trusted: bool


class CorrectionRow(TypedDict):
    """The applied corrections of one image, oldest first, and the label they lead to."""

    label: str
    applied: list[LoggedEvent]


class Training(TypedDict):
    """The last full training: when the log took it, when its manifest was cut, and the next offset at the cut of each
    partition ("topic/partition") it was cut from."""

    at: float
    cut_at: float
    positions: dict[str, int]


class LoggedRequest(TypedDict):
    """A training.requested, and when the log took it."""

    event_id: str
    at: float


class TrainingRow(TypedDict):
    """Everything about trainings; the newest request stands last. `answers` are the requests that full trainings named
    as their causes: an answer may be folded before its request, since they stand on different topics. Of
    training.requested what stands before `asked_upto` is known, of model.trained what stands before `trained_upto`."""

    last: Training | None
    asked: list[LoggedRequest]
    answers: list[str]
    drifts: list[LoggedEvent]
    asked_upto: int
    trained_upto: int


NOTHING_TRAINED: TrainingRow = {
    "last": None,
    "asked": [],
    "answers": [],
    "drifts": [],
    "asked_upto": 0,
    "trained_upto": 0,
}


def log_event(event: Event, place: RecordPosition) -> LoggedEvent:
    """The event as a row keeps it."""
    return {"event_id": str(event.event_id), "partition": place.partition, "offset": place.offset, "at": place.at}


def on_image_stored(row: ImageRow | None, event: ImageStored, place: RecordPosition) -> ImageRow:
    """The first storing of an image counts."""
    trusted = event.trust in ("seed", "reviewed") and event.label is not None
    return row or {"stored": log_event(event, place), "label": event.label, "trusted": trusted}


def on_label_corrected(row: CorrectionRow | None, event: LabelCorrected, place: RecordPosition) -> CorrectionRow | None:
    """The row with this correction, if it applies (`shared.contract.race_rules`); else the row as it was. One that
    lost its race before the newest applied one does not win it when it is repeated."""
    applied = row["applied"] if row else []
    repeated = bool(applied) and place.offset <= applied[-1]["offset"]
    if repeated or not label_applies(len(applied), event.revision):
        return row
    return {"label": event.label_to, "applied": [*applied, log_event(event, place)]}


def on_training_requested(row: TrainingRow, event: TrainingRequested, place: RecordPosition) -> TrainingRow:
    """A full training was asked for, by the trigger or a person."""
    if place.offset < row["asked_upto"]:
        return row
    asked: LoggedRequest = {"event_id": str(event.event_id), "at": place.at}
    return {**row, "asked": [*row["asked"], asked][-KEPT_REQUESTS:], "asked_upto": place.offset + 1}


def on_model_trained(row: TrainingRow, event: ModelTrained, place: RecordPosition) -> TrainingRow:
    """A full training ended: its causes are answered, and what its manifest knows is no longer new. The fast lane's
    candidates change nothing."""
    if event.lane != "full" or place.offset < row["trained_upto"]:
        return row
    answers = [*row["answers"], *(str(cause) for cause in event.causes)][-KEPT_REQUESTS:]
    before = row["last"]
    cut_at = (event.manifest_cut_at or event.occurred_at).timestamp()
    last: Training = {
        "at": place.at,
        "cut_at": max(cut_at, before["cut_at"]) if before else cut_at,
        "positions": _merge_offsets(before["positions"] if before else {}, event.positions),
    }
    drifts = [drift for drift in row["drifts"] if drift["at"] > last["cut_at"]]
    return {**row, "last": last, "answers": answers, "drifts": drifts, "trained_upto": place.offset + 1}


def on_drift_detected(row: TrainingRow, event: DriftDetected, place: RecordPosition) -> TrainingRow:
    """A drift waits for the next full training; of many the newest are kept."""
    last = row["last"]
    answered = last is not None and place.at <= last["cut_at"]
    if answered or any(drift["event_id"] == str(event.event_id) for drift in row["drifts"]):
        return row
    return {**row, "drifts": [*row["drifts"], log_event(event, place)][-KEPT_DRIFTS:]}


def to_datetime(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _merge_offsets(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The larger offset of each partition."""
    return {place: max(one.get(place, 0), other.get(place, 0)) for place in sorted({*one, *other})}
