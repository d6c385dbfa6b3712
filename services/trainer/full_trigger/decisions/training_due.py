"""Decides whether a full training is due, from the events since the last full manifest and the earlier requests. Pure.

There are six reasons, the most urgent first: the first model, images that were withdrawn after the last full model
learned them, drift with new labels, a correction layer that has grown, new images, a week with anything new. A reason
alone is not enough: at least one of its causes must have come after the last request. So every request uses up a new
image, label, drift or withdrawal, and the trigger cannot set itself off.

A burst of events is one training: a request waits until no event came for `quiet_seconds`, but never longer than
`longest_wait_seconds` after its threshold was met, and never while another request is unanswered. After a training the
lane rests four times as long as it took (`rest_ratio`), so that corrections have the machine for themselves; in 24
hours no more than `daily_trainings` are requested, and none while promotions are frozen: none of them could serve.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from shared.contract.first_model import SIDES, what_is_missing
from shared.contract.split import Side

DAY = timedelta(days=1)

Reason = Literal["first_model", "image_withdrawn", "drift", "correction_layer_grown", "new_images", "weekly"]


class TriggerSettings(BaseModel, frozen=True):
    """The thresholds. Times in seconds."""

    labels: tuple[str, ...]
    first_images_per_label: int = Field(default=20, ge=1)
    new_images: int = Field(default=10, ge=1, description="new trusted images that make a training, at least")
    new_images_share: float = Field(
        default=0.05, ge=0, le=1, description="the same, as a share of those that the last training knew"
    )
    grown_corrections: int = Field(default=10, ge=1, description="corrections that make a training")
    week_seconds: float = Field(default=7 * 24 * 3600.0, gt=0)
    quiet_seconds: float = Field(default=2.0, ge=0, description="without an event for so long a burst is over")
    longest_wait_seconds: float = Field(default=15.0, ge=0)
    request_timeout_seconds: float = Field(default=600.0, gt=0, description="how long a request may take")
    rest_ratio: float = Field(
        default=4.0, ge=0, description="how long to rest after a full training, in lengths of that training"
    )
    daily_trainings: int = Field(
        default=100,
        ge=1,
        le=100,
        description="in 24 hours so many trainings are requested at most, by a person or the trigger",
    )
    trigger_dry_run: bool = Field(
        default=False, description="whether the trigger only says what it would request, and publishes nothing"
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that counts towards a training: when it was appended to the log, and whether after the last request.
    `side`: where its image falls in the split; None if that is not known."""

    event_id: UUID
    at: datetime
    fresh: bool
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The state that a decision is based on, each list in order of time.

    `trusted` holds one arrival per trusted image under its current label: the event that made the image trusted.
    `new_images` are those the last full manifest does not know, `new_corrections` and `drifts` those after its cut,
    `withdrawn` images that it knows and that were withdrawn since.
    `trained_at` is the last full training, None before the first, and `took_seconds` how long it took; `asked_at` the
    newest request without an answer, `requests` when the last ones were made. `frozen`: no other model may serve.
    """

    trusted: Mapping[str, Sequence[Arrival]]
    new_images: Sequence[Arrival] = ()
    new_corrections: Sequence[Arrival] = ()
    drifts: Sequence[Arrival] = ()
    withdrawn: Sequence[Arrival] = ()
    trained_at: datetime | None = None
    asked_at: datetime | None = None
    took_seconds: float = 0.0
    requests: Sequence[datetime] = ()
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A full training is due. `causes` are the ids of the events that met the threshold; the same state gives the same
    causes."""

    reason: Reason
    detail: str
    causes: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """No training is due. `time`: when to decide again; None: only another event can change the decision."""

    time: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class _DueReason:
    """A reason whose threshold was met at `met_at`, by `causes`."""

    reason: Reason
    detail: str
    causes: tuple[UUID, ...]
    met_at: datetime


def decide(state: State, now: datetime, settings: TriggerSettings) -> Request | WaitUntil:
    """Return a request with its causes, or until when to wait and why."""
    if state.asked_at is not None:
        times_out_at = state.asked_at + timedelta(seconds=settings.request_timeout_seconds)
        if now < times_out_at and _answerable(state, settings):
            return WaitUntil(times_out_at, "A full training was requested and is not answered yet.")
    due_reasons = (
        _first_model(state, settings) if state.trained_at is None else _retraining(state, state.trained_at, settings)
    )
    if not due_reasons:
        return WaitUntil(None, _describe_counts(state, settings))
    if state.frozen:
        return WaitUntil(None, f"{due_reasons[0].detail} Promotions are frozen: no model that is trained may serve.")
    latest = sorted(state.requests)[-settings.daily_trainings :]
    if len(latest) == settings.daily_trainings and now < (room_at := latest[0] + DAY):
        return WaitUntil(room_at, f"{due_reasons[0].detail} {len(latest)} trainings were requested within 24 hours.")
    due_at = {due: _due_at(due, state, settings) for due in due_reasons}
    for due in due_reasons:
        if due_at[due] <= now:
            return Request(due.reason, due.detail, due.causes)
    first = min(due_reasons, key=due_at.__getitem__)
    return WaitUntil(due_at[first], f"{first.detail} Waiting until then, or until nothing more comes.")


def _describe_counts(state: State, settings: TriggerSettings) -> str:
    if state.trained_at is not None:
        images = f"{len(state.new_images)} of {_images_needed(state, settings)} new images"
        corrections = f"{len(state.new_corrections)} of {settings.grown_corrections} corrections"
        return f"{images} and {corrections} since the last full training: too few to train again."
    missing = what_is_missing(_counts(state), settings.labels, settings.first_images_per_label)
    return missing or "The first model was requested and not made; it is requested again when something new comes."


def _answerable(state: State, settings: TriggerSettings) -> bool:
    """Return whether the newest request can lead to a model: not before the first one, if a side of a label was empty
    when it was made. The full lane answers such a request with nothing."""
    before = {label: [one for one in found if not one.fresh] for label, found in state.trusted.items()}
    counts = _counts(State(trusted=before))
    return state.trained_at is not None or what_is_missing(counts, settings.labels, 1) is None


def _counts(state: State) -> dict[str, Counter[Side | None]]:
    """Count the trusted images of each label by side."""
    return {label: Counter(one.side for one in arrivals) for label, arrivals in state.trusted.items()}


def _first_model(state: State, settings: TriggerSettings) -> list[_DueReason]:
    needed = settings.first_images_per_label
    by_label = [state.trusted.get(label, ()) for label in settings.labels]
    if what_is_missing(_counts(state), settings.labels, needed) is not None:
        return []
    evidence = [arrival for arrivals in by_label for arrival in _evidence(arrivals, needed)]
    everything = [arrival for arrivals in by_label for arrival in arrivals]
    return _due_reason("first_model", f"Each label has {needed} trusted images or more.", evidence, everything)


def _evidence(arrivals: Sequence[Arrival], needed: int) -> list[Arrival]:
    """Return the images that met the threshold: the first `needed`, and the first on a side that these lack."""
    found = list(arrivals[:needed])
    for side in SIDES:
        if not any(one.side in (side, None) for one in found):
            found += [one for one in arrivals if one.side in (side, None)][:1]
    return found


def _retraining(state: State, trained_at: datetime, settings: TriggerSettings) -> list[_DueReason]:
    """Return the reasons whose threshold is met, the most urgent first; the weekly reason may be due in the future."""
    images, corrections, drifts = state.new_images, state.new_corrections, state.drifts
    labels = sort_by_time({arrival.event_id: arrival for arrival in (*images, *corrections)}.values())
    due_reasons: list[_DueReason] = []
    if withdrawn := state.withdrawn:
        images_are = "image is" if len(withdrawn) == 1 else "images are"
        detail = f"{len(withdrawn)} {images_are} withdrawn that the last full training knew."
        due_reasons += _due_reason("image_withdrawn", detail, withdrawn[:1], withdrawn)
    later = [label for label in labels if drifts and label.at > drifts[0].at]  # those before it say nothing about it
    if later:
        detail = f"Drift was detected, and there are {len(later)} labels since."
        due_reasons += _due_reason("drift", detail, [drifts[0], later[0]], [*drifts, *later])
    if len(corrections) >= settings.grown_corrections:
        detail = f"{len(corrections)} corrections since the last full training."
        due_reasons += _due_reason(
            "correction_layer_grown", detail, corrections[: settings.grown_corrections], corrections
        )
    if len(images) >= (needed := _images_needed(state, settings)):
        detail = f"{len(images)} new trusted images since the last full training."
        due_reasons += _due_reason("new_images", detail, images[:needed], images)
    if labels:
        detail = f"A week since the last full training, and {len(labels)} new labels."
        week_ends = trained_at + timedelta(seconds=settings.week_seconds)
        due_reasons += _due_reason("weekly", detail, labels[:1], labels, not_before=week_ends)
    return due_reasons


def _images_needed(state: State, settings: TriggerSettings) -> int:
    """Return how many new images make a training: with the data set grows what changes a model."""
    known = sum(len(arrivals) for arrivals in state.trusted.values()) - len(state.new_images)
    return max(settings.new_images, math.ceil(settings.new_images_share * known))


def _due_reason(
    reason: Reason,
    detail: str,
    evidence: Sequence[Arrival],
    everything: Sequence[Arrival],
    not_before: datetime | None = None,
) -> list[_DueReason]:
    """Return the reason whose threshold `evidence` met. One of `everything` must be fresh, and joins the causes;
    without a fresh event return nothing."""
    fresh = sort_by_time([arrival for arrival in everything if arrival.fresh])
    if not fresh:
        return []
    causes = [*evidence, *([] if any(arrival.fresh for arrival in evidence) else fresh[:1])]
    met_at = max(arrival.at for arrival in causes)
    return [_DueReason(reason, detail, tuple(cause.event_id for cause in causes), max(met_at, not_before or met_at))]


def _due_at(due: _DueReason, state: State, settings: TriggerSettings) -> datetime:
    """Return the end of `quiet_seconds` after the last event, or of the longest wait after `met_at` if sooner; never
    before the lane has rested."""
    arrivals = [*state.new_images, *state.new_corrections, *state.drifts, *state.withdrawn]
    if state.trained_at is None:
        arrivals += [arrival for label in settings.labels for arrival in state.trusted.get(label, ())]
    last = max((arrival.at for arrival in arrivals), default=due.met_at)
    quiet = last + timedelta(seconds=settings.quiet_seconds)
    rested = timedelta(seconds=settings.rest_ratio * state.took_seconds)
    rests_until = due.met_at if state.trained_at is None else state.trained_at + rested
    return max(due.met_at, rests_until, min(quiet, due.met_at + timedelta(seconds=settings.longest_wait_seconds)))


def sort_by_time(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Sort by time; by id where the times are the same."""
    return sorted(arrivals, key=lambda arrival: (arrival.at, arrival.event_id))
