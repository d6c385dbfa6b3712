"""From the rows of the trigger's tables to the state that its decision is based on. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from services.trainer.full_trigger.decisions.copies import find_copies
from services.trainer.full_trigger.decisions.rows import (
    CorrectionRow,
    ImageRow,
    LoggedEvent,
    Training,
    TrainingRow,
    held_revisions,
    to_datetime,
)
from services.trainer.full_trigger.decisions.training_due import Arrival, State, sort_by_time


def state_of(
    images: Mapping[str, ImageRow],
    corrections: Mapping[str, CorrectionRow],
    training: TrainingRow,
    labels: Collection[str],
    withdrawals: Mapping[str, LoggedEvent] = MappingProxyType({}),
) -> State:
    """Return the state of these rows, by image id. An image counts if it is trusted and has one of `labels`; images
    with the same pixels count once, since the first of them; one that was withdrawn counts only as that, and only if
    the last full manifest knew it."""
    asked_at = training["asked"][-1]["at"] if training["asked"] else None
    trusted: dict[str, list[Arrival]] = {label: [] for label in labels}
    new_images, new_corrections, withdrawn = [], [], []
    copies = find_copies(images, corrections, withdrawals)
    learned: set[str] = set()
    pictures: dict[str, Arrival] = {}
    labelled: dict[str, str] = {}
    for image_id, image in images.items():
        correction = corrections.get(image_id)
        if image_id in withdrawals:
            if _was_learned(training["last"], image, correction, withdrawals[image_id], labels):
                withdrawn.append(_arrival([withdrawals[image_id]], asked_at))
            continue
        decided = correction if correction and held_revisions(correction)[-1] else None
        label = decided["label"] if decided else image["label"]
        events = _trusting_events(image, decided)
        left = label is None or not events
        changes = _changes_since(training["last"], image, correction, left)
        if left or label in trusted:
            new_corrections += [_arrival([event], asked_at) for event in changes]
        if left or label not in trusted:
            continue
        arrival = replace(_arrival(events, asked_at), side=image.get("side"))
        picture = image.get("pixels") or image_id
        pictures[picture] = min(pictures.get(picture, arrival), arrival, key=lambda each: each.at)
        if all(_known(training["last"], event) for event in events):
            learned.add(picture)
        if copies.get(image_id, image_id) == image_id:
            labelled[picture] = label
    for picture, label in labelled.items():
        trusted[label].append(pictures[picture])
        if picture not in learned:
            new_images.append(pictures[picture])
    unanswered = [asked["at"] for asked in training["asked"] if asked["event_id"] not in training["answers"]]
    return State(
        trusted={label: sort_by_time(arrivals) for label, arrivals in trusted.items()},
        new_images=sort_by_time(new_images),
        new_corrections=sort_by_time(new_corrections),
        withdrawn=sort_by_time(withdrawn),
        drifts=sort_by_time([_arrival([drift], asked_at) for drift in training["drifts"]]),
        trained_at=to_datetime(training["last"]["at"]) if training["last"] else None,
        asked_at=to_datetime(max(unanswered)) if unanswered else None,
        took_seconds=training["last"].get("seconds", 0.0) if training["last"] else 0.0,
        requests=[to_datetime(asked["at"]) for asked in training["asked"]],
        frozen="promoted" in training and training["promoted"]["frozen"],
    )


def _was_learned(
    last: Training | None,
    image: ImageRow,
    correction: CorrectionRow | None,
    withdrawal: LoggedEvent,
    labels: Collection[str],
) -> bool:
    """Return whether the last full manifest holds an image that is withdrawn since. Of a decision that holds no more
    the label is not known here: it counts as one."""
    if last is None or not _known(last, image["stored"]) or _known(last, withdrawal):
        return False
    applied = 0 if correction is None else sum(_known(last, event) for event in correction["applied"])
    held = [0, *held_revisions(correction)]
    if correction is None or not held[applied]:
        return image["trusted"] and image["label"] in labels
    return held[applied] != held[-1] or correction["label"] in labels


def _trusting_events(image: ImageRow, correction: CorrectionRow | None) -> list[LoggedEvent]:
    """Return the events that together make an image trusted; empty if its label is only claimed."""
    if image["trusted"]:
        return [image["stored"]]
    if correction is None:
        return []
    undone = [position for position, held in enumerate(held_revisions(correction)) if not held]
    return [image["stored"], correction["applied"][undone[-1] + 1 if undone else 0]]


def _changes_since(
    last: Training | None, image: ImageRow, correction: CorrectionRow | None, left: bool
) -> list[LoggedEvent]:
    """Return the corrections that the last full manifest does not know; none if what it knows holds again, or if the
    image is in no manifest, neither in that one nor in the next (`left`)."""
    if correction is None:
        return []
    later = [event for event in correction["applied"] if not _known(last, event)]
    held = [0, *held_revisions(correction)]
    held_then = held[len(correction["applied"]) - len(later)]
    if held[-1] == held_then or (left and not held_then and not image["trusted"]):
        return []
    return later


def _arrival(events: list[LoggedEvent], asked_at: float | None) -> Arrival:
    """Return the latest of the events; it is fresh if it was appended to the log after the last request."""
    latest = max(events, key=lambda event: event["at"])
    return Arrival(UUID(latest["event_id"]), to_datetime(latest["at"]), asked_at is None or latest["at"] > asked_at)


def _known(last: Training | None, event: LoggedEvent) -> bool:
    """Return whether the last full manifest was cut after this event: by its position, or by time without one."""
    if last is None:
        return False
    position = last["positions"].get(event["partition"])
    return event["offset"] < position if position is not None else event["at"] <= last["cut_at"]
