"""Explanations in plain sentences, from what the APIs and the log say. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.clients.answers import HistoryEntry, ImageView, ServingModel
from shared.clients.lineage import ImageStory, LearnedCorrection, ModelStory
from shared.clients.withdrawals import Withdrawal
from shared.contract.events import TrainingRequested
from shared.contract.replicas import PredictionLogged

MOST_NAMED = 10

NAMED = 10
"""So many of the corrections that led to a model are sentences."""


def explain_answer(
    answer: PredictionLogged, image: ImageView | None, history: Sequence[HistoryEntry], model: ModelStory | None
) -> Iterator[str]:
    """Yield what an answer was, and what came of it. `history` is that of its image, None for one that is not
    stored."""
    others = sorted(answer.probabilities.items(), key=lambda each: -each[1])
    shares = ", ".join(f"{label} {share:.1%}" for label, share in others)
    about = f"image {image.image_id}" if image else f"bytes {answer.sha256} (no stored image)"
    yield (
        f"{answer.model_version} answered {answer.label} about {about} at {when(answer.occurred_at)}: {shares}."
        f" {answer.replica} said so in {answer.milliseconds:.1f} ms; asked by: {answer.source}."
    )
    if not answer.corrections:
        yield "No corrected image was near: backbone and head decided alone."
    since = [entry for entry in history if entry.occurred_at and entry.occurred_at > answer.occurred_at]
    for entry in since:
        yield f"Since then: {revision_sentence(entry)}"
    if image is not None and not since:
        yield f"No person has corrected the image since; its label is {image.label or 'not set'}."
    if model is not None:
        yield from _standing(model)


def explain_near(near: UUID, weight: float | None, history: Sequence[HistoryEntry]) -> str:
    """Return whose correction shaped an answer, and how much; `weight` is None if the log does not say it."""
    heavy = "a weight that was not written down" if weight is None else f"weight {weight:.2f}"
    said = [entry for entry in history if entry.state == "applied" and entry.label_to and entry.revision]
    if not said:
        return f"Near was the corrected image {near}, with {heavy}."
    newest = said[-1]
    return f"Near was the corrected image {near}, with {heavy}: {revision_sentence(newest)}"


def explain_model(
    model: ModelStory, requests: Sequence[TrainingRequested], serving: Sequence[ServingModel]
) -> Iterator[str]:
    """Yield what led to a model, what the gate said, and where it served."""
    lane = "the fast lane: backbone and head are those of" if model.lane == "fast" else "the full lane, trained after"
    parent = f" {lane} {model.parent}" if model.parent else " the full lane; there was none in service before it"
    made = f" at {when(model.trained_at)}" if model.trained_at else ""
    yield f"{model.version} was made{made} by{parent}."
    for request in requests:
        by = request.requested_by or "the trigger"
        yield f"It was requested by {by} ({request.reason}): {request.detail}"
    for cause in model.caused_by[:NAMED]:
        yield f"It was made because {_correction(cause)}"
    if len(model.caused_by) > NAMED:
        yield f"It was made because of {len(model.caused_by) - NAMED} more corrections."
    unknown = set(model.causes) - {each.event_id for each in requests} - {each.event_id for each in model.caused_by}
    if unknown:
        yield f"Its other causes are the events {', '.join(sorted(map(str, unknown)))}: pappus events TOPIC --about ID."
    learned = Counter(each.corrected_by or "?" for each in model.learned)
    if model.corrections:
        whose = ", ".join(f"{name} {count}" for name, count in learned.most_common())
        shown = "" if len(model.learned) == model.corrections else f" (of the {len(model.learned)} shown)"
        yield f"It holds {model.corrections} corrections, {model.new_corrections} of them new. By{shown}: {whose}."
    images = f"{model.training_images or 0} images, and {model.test_images or 0} test images judged it"
    yield f"It learned from {images}."
    yield f"The gate: {model.summary}"
    for rule in model.verdict:
        yield f"  {rule.rule}: {rule.outcome}. {rule.sentence}"
    yield from _standing(model)
    for each in serving:
        if each.version == model.version:
            yield f"{each.replica} serves it since {when(each.loaded_at)}."


def about_withdrawal(done: Withdrawal) -> Iterator[str]:
    """Yield who took an image back, and which models saw it."""
    yield f"It was withdrawn by {done.withdrawn_by} at {when(done.withdrawn_at)}: {done.reason}"
    yield from _named("Full models that learned from it, or were tested on it", done.seen_by)
    yield from _named("Models that hold a correction of it", done.held_by)
    if not done.seen_by and not done.held_by:
        yield "No model saw it."
    if done.serving is not None:
        yield f"{done.serving}, the model in service, saw it; that ends with the next full model."


def _named(what: str, versions: list[str]) -> Iterator[str]:
    left = f", and {len(versions) - MOST_NAMED} more" if len(versions) > MOST_NAMED else ""
    if versions:
        yield f"{what}: {', '.join(versions[:MOST_NAMED])}{left}."


def explain_image(
    image: ImageView,
    history: Sequence[HistoryEntry],
    story: ImageStory,
    answers: Sequence[PredictionLogged],
    seen: Mapping[str, Any] | None,
) -> Iterator[str]:
    """Yield what happened to an image. `seen` says which full models have seen it, None if that is not known here."""
    side = f", on the {story.side} side" if story.side else ""
    by = f" by {image.corrected_by}" if image.corrected_by else ""
    yield (
        f"Image {image.image_id} is {image.state}{side}, from {image.source}; its label is {image.label or 'not set'}"
        f" ({image.trust}{by})."
    )
    if image.rejection is not None:
        yield f"It was refused: {image.rejection.detail}"
    if story.withdrawal is not None:
        yield from about_withdrawal(story.withdrawal)
    for entry in history:
        yield f"Revision {entry.revision}: {revision_sentence(entry)}"
    for answer in answers:
        share = answer.probabilities.get(answer.label, 0.0)
        yield f"{answer.model_version} answered {answer.label} ({share:.1%}) at {when(answer.occurred_at)}."
    for model in (seen or {}).get("models", ()):
        use = "trained on" if model["side"] == "train" else "was tested on"
        yield f"{model['version']} {use} it as {model['label']} (revision {model['revision']})."
    for unread in (seen or {}).get("unread", ()):
        yield f"Whether {unread} has seen it is not known: its manifest is lost."
    if story.models:
        layers = ", ".join(f"{each.version} (revision {each.revision})" for each in story.models)
        yield f"The correction layers of {story.holding} models hold it; the newest: {layers}."
    for name, ids in (("the same bytes", story.duplicates), ("almost the same picture", story.near_duplicates)):
        if ids:
            yield f"Other images with {name}: {', '.join(map(str, ids))}."


def revision_sentence(entry: HistoryEntry) -> str:
    """Return who set which label, why, and since when a model holds it."""
    time = f" at {when(entry.occurred_at)}" if entry.occurred_at else ""
    who = entry.corrected_by or "The data set"
    if not entry.revision:
        return f"{who} brought it as {entry.label_to or 'an image without a label'}{time}."
    did = f"said {entry.label_to}" if entry.label_to else _took_away(entry)
    before = f" instead of {entry.label_from}" if entry.label_from and entry.label_from != entry.label_to else ""
    shown = f", having seen {entry.shown_label} of {entry.shown_model_version}" if entry.shown_label else ""
    reason = f" ({entry.reason})" if entry.reason else ""
    return f"{who} {did}{before}{time}{shown}{reason}{_since_then(entry)}."


def when(time: datetime) -> str:
    """Return a time to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S}"


def _took_away(entry: HistoryEntry) -> str:
    if entry.no_label == "withdrawn":
        return f"took a label back, so that {entry.held_label or 'the label before'} holds"
    return f"said that it has no label, {(entry.no_label or '').replace('_', ' ')}"


def _since_then(entry: HistoryEntry) -> str:
    if entry.state == "superseded":
        return "; another person was first"
    if entry.set_aside:
        return f"; set aside: {entry.set_aside.rstrip('.')}"
    if entry.live_in is None or entry.live_at is None:
        return "; no model in service follows it yet"
    took = (entry.live_at - entry.occurred_at).total_seconds() if entry.occurred_at else 0.0
    return f"; live in {entry.live_in}, {max(took, 0.0):.2f} s later"


def _correction(cause: LearnedCorrection) -> str:
    time = f" at {when(cause.corrected_at)}" if cause.corrected_at else ""
    reason = f" ({cause.reason})" if cause.reason else ""
    said = f"said {cause.label} of" if cause.label else "took a label away from"
    return f"{cause.corrected_by or 'a person'} {said} {cause.image_id}{time}{reason}."


def _standing(model: ModelStory) -> Iterator[str]:
    """Yield when the model served, and why."""
    if not model.served:
        yield f"{model.version} never served: {model.summary}"
    why = {promotion.sequence: promotion for promotion in model.promotions}
    for time in model.served:
        until = f"until {when(time.until)}" if time.until else "and serves now"
        reason = f" {why[time.sequence].summary}" if time.sequence in why else ""
        yield f"{model.version} served from {when(time.since)} {until} (promotion {time.sequence}).{reason}"
