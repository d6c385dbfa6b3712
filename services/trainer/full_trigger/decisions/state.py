"""From the rows of the trigger's tables to the state it decides on. Pure."""

from collections.abc import Collection, Mapping
from uuid import UUID

from services.trainer.full_trigger.decisions.rows import (
    CorrectionRow,
    ImageRow,
    LoggedEvent,
    Training,
    TrainingRow,
    to_datetime,
)
from services.trainer.full_trigger.decisions.training_due import Arrival, State, sort_by_time


def state_of(
    images: Mapping[str, ImageRow],
    corrections: Mapping[str, CorrectionRow],
    training: TrainingRow,
    labels: Collection[str],
) -> State:
    """What the rows say, by image id. An image counts once it is trusted and its label is one of `labels`."""
    asked_at = training["asked"][-1]["at"] if training["asked"] else None
    trusted: dict[str, list[Arrival]] = {label: [] for label in labels}
    new_images, new_corrections = [], []
    for image_id, image in images.items():
        correction = corrections.get(image_id)
        label = correction["label"] if correction else image["label"]
        grounds = _trusting_events(image, correction)
        if label not in trusted or not grounds:
            continue
        arrival = _arrival(grounds, asked_at)
        trusted[label].append(arrival)
        if not all(_known(training["last"], ground) for ground in grounds):
            new_images.append(arrival)
        later = [one for one in correction["applied"] if not _known(training["last"], one)] if correction else []
        new_corrections += [_arrival([one], asked_at) for one in later]
    unanswered = [asked["at"] for asked in training["asked"] if asked["event_id"] not in training["answers"]]
    return State(
        trusted={label: sort_by_time(arrivals) for label, arrivals in trusted.items()},
        new_images=sort_by_time(new_images),
        new_corrections=sort_by_time(new_corrections),
        drifts=sort_by_time([_arrival([drift], asked_at) for drift in training["drifts"]]),
        trained_at=to_datetime(training["last"]["at"]) if training["last"] else None,
        asked_at=to_datetime(max(unanswered)) if unanswered else None,
    )


def _trusting_events(image: ImageRow, correction: CorrectionRow | None) -> list[LoggedEvent]:
    """The events that together make an image trusted; empty if nobody vouched for its label."""
    if image["trusted"]:
        return [image["stored"]]
    return [image["stored"], correction["applied"][0]] if correction else []


def _arrival(grounds: list[LoggedEvent], asked_at: float | None) -> Arrival:
    """The latest of the events; fresh if the log took it after the last request."""
    latest = max(grounds, key=lambda one: one["at"])
    return Arrival(UUID(latest["event_id"]), to_datetime(latest["at"]), asked_at is None or latest["at"] > asked_at)


def _known(last: Training | None, one: LoggedEvent) -> bool:
    """Whether the last full manifest was cut after this event: by its position, or by time where none is given."""
    if last is None:
        return False
    position = last["positions"].get(one["partition"])
    return one["offset"] < position if position is not None else one["at"] <= last["cut_at"]
