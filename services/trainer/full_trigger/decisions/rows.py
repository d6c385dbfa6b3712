"""The rows of the trigger's tables, and how each event is folded into them. Pure; rows are JSON.

A row never holds a count, only the contribution of each event, so folding an event twice changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from shared.contract.events import (
    DriftDetected,
    Event,
    ImageStored,
    LabelCorrected,
    ModelPromoted,
    ModelTrained,
    TrainingRequested,
)
from shared.contract.race_rules import label_applies
from shared.contract.split import Side, side

KEPT_REQUESTS = 100
"""As many as may be requested in a day at most (`daily_trainings`)."""
KEPT_DRIFTS = 100


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """The place of an event in the log, "topic/partition" and offset, and its time in seconds since 1970."""

    partition: str
    offset: int
    at: float


class LoggedEvent(TypedDict):
    """One event: its id, its place in the log and its time in seconds since 1970."""

    event_id: str
    partition: str
    offset: int
    at: float


class ImageRow(TypedDict):
    """One stored image; `trusted` is its state when it was stored, before any correction, `pixels` the sha256 of its
    pixels. Rows of earlier releases have no `side` and no `pixels`."""

    stored: LoggedEvent
    label: str | None
    trusted: bool
    side: NotRequired[Side]
    pixels: NotRequired[str]


class CorrectionRow(TypedDict):
    """The applied corrections of one image, oldest first, and the label they lead to, None for no label.

    `held` says of each correction which decision holds once it is applied: its own revision, an earlier one that it
    restored, or 0 (the image is as it was stored). Rows of earlier releases lack it: there each holds itself.
    """

    label: str | None
    applied: list[LoggedEvent]
    held: NotRequired[list[int]]


class Training(TypedDict):
    """The last full training: when it was appended to the log, when its manifest was cut (seconds since 1970), the next
    offset at the cut of each partition ("topic/partition") that the manifest is folded from, and how many seconds it
    took. Rows of earlier releases have no `seconds`."""

    at: float
    cut_at: float
    positions: dict[str, int]
    seconds: NotRequired[float]


class LoggedRequest(TypedDict):
    """A training.requested, and when it was appended to the log, in seconds since 1970."""

    event_id: str
    at: float


class TrainingRow(TypedDict):
    """The trainings and their requests; the newest request is the last. `answers` are the requests that full trainings
    name as their causes: an answer may be folded before its request, since they are on different topics. `answered` are
    the drifts that a full training came after: published again, they are no new ones. The records of
    training.requested before the offset `asked_upto` are folded, those of model.trained before `trained_upto`.
    `promoted` is the newest promotion: whether it froze promotions. Rows of earlier releases have none."""

    last: Training | None
    asked: list[LoggedRequest]
    answers: list[str]
    drifts: list[LoggedEvent]
    answered: NotRequired[list[str]]
    asked_upto: int
    trained_upto: int
    promoted: NotRequired["PromotedRow"]


class PromotedRow(TypedDict):
    """The newest promotion."""

    sequence: int
    frozen: bool


NOTHING_TRAINED: TrainingRow = {
    "last": None,
    "asked": [],
    "answers": [],
    "drifts": [],
    "asked_upto": 0,
    "trained_upto": 0,
}


def log_event(event: Event, position: RecordPosition) -> LoggedEvent:
    """Return the event as a row keeps it."""
    return {
        "event_id": str(event.event_id),
        "partition": position.partition,
        "offset": position.offset,
        "at": position.at,
    }


def on_image_stored(row: ImageRow | None, event: ImageStored, position: RecordPosition) -> ImageRow:
    """Return the row of the image; its first image.stored counts."""
    trusted = event.trust in ("seed", "reviewed") and event.label is not None and not event.joins
    return row or {
        "stored": log_event(event, position),
        "label": event.label,
        "trusted": trusted,
        "side": side(event.group_id),
        "pixels": event.pixels_sha256,
    }


def on_label_corrected(
    row: CorrectionRow | None, event: LabelCorrected, position: RecordPosition
) -> CorrectionRow | None:
    """Return the row with this correction, if it applies (`shared.contract.race_rules`); else the row as it was. A
    correction that was superseded before the newest applied one does not apply when it is repeated."""
    applied = row["applied"] if row else []
    repeated = bool(applied) and position.offset <= applied[-1]["offset"]
    if repeated or not label_applies(len(applied), event.revision):
        return row
    held, revision = event.holds, len(applied) + 1
    return {
        "label": None if held is None else held.label,
        "applied": [*applied, log_event(event, position)],
        "held": [*held_revisions(row), 0 if held is None else min(held.revision, revision)],
    }


def held_revisions(row: CorrectionRow | None) -> list[int]:
    """Return which decision held after each applied correction (see CorrectionRow); empty without corrections."""
    return [] if row is None else row.get("held", list(range(1, len(row["applied"]) + 1)))


def on_training_requested(row: TrainingRow, event: TrainingRequested, position: RecordPosition) -> TrainingRow:
    """Add a request, by the trigger or a person, to the row."""
    if position.offset < row["asked_upto"]:
        return row
    asked: LoggedRequest = {"event_id": str(event.event_id), "at": position.at}
    return {**row, "asked": [*row["asked"], asked][-KEPT_REQUESTS:], "asked_upto": position.offset + 1}


def on_model_trained(row: TrainingRow, event: ModelTrained, position: RecordPosition) -> TrainingRow:
    """Add a full training to the row: its causes are answered, and the events in its manifest are no longer new. The
    fast lane's candidates change nothing."""
    if event.lane != "full" or position.offset < row["trained_upto"]:
        return row
    answers = [*row["answers"], *(str(cause) for cause in event.causes)][-KEPT_REQUESTS:]
    before = row["last"]
    cut_at = (event.manifest_cut_at or event.occurred_at).timestamp()
    last: Training = {
        "at": position.at,
        "cut_at": max(cut_at, before["cut_at"]) if before else cut_at,
        "positions": _merge_offsets(before["positions"] if before else {}, event.positions),
        "seconds": event.seconds.get("total", 0.0),
    }
    drifts = [drift for drift in row["drifts"] if drift["at"] > last["cut_at"]]
    over = [drift["event_id"] for drift in row["drifts"] if drift not in drifts]
    return {
        **row,
        "last": last,
        "answers": answers,
        "drifts": drifts,
        "answered": [*row.get("answered", []), *over][-KEPT_DRIFTS:],
        "trained_upto": position.offset + 1,
    }


def on_model_promoted(row: TrainingRow, event: ModelPromoted) -> TrainingRow:
    """Note whether promotions are frozen now. A number that is missing does not stop it, unlike those who serve: a
    training too many is rejected, and a training that is never requested would not be noticed."""
    before = row.get("promoted")
    if before is not None and event.sequence <= before["sequence"]:
        return row
    return {**row, "promoted": {"sequence": event.sequence, "frozen": event.frozen}}


def on_drift_detected(row: TrainingRow, event: DriftDetected, position: RecordPosition) -> TrainingRow:
    """Add a drift to the row, until the next full training; the newest KEPT_DRIFTS are kept."""
    last = row["last"]
    known = {*(drift["event_id"] for drift in row["drifts"]), *row.get("answered", [])}
    if str(event.event_id) in known or (last is not None and position.at <= last["cut_at"]):
        return row
    return {**row, "drifts": [*row["drifts"], log_event(event, position)][-KEPT_DRIFTS:]}


def to_datetime(seconds: float) -> datetime:
    """Return seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _merge_offsets(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the larger offset of each partition."""
    return {partition: max(one.get(partition, 0), other.get(partition, 0)) for partition in sorted({*one, *other})}
