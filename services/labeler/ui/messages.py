"""The sentences of the pages (Markdown), as pure functions of values."""

import re
from datetime import datetime

from shared.clients.answers import (
    DecidedLabel,
    DriftView,
    HistoryEntry,
    LabelConflict,
    LiveAccuracy,
    Prediction,
    PromotionView,
    ResembledGroup,
)
from shared.clients.similar import SimilarImage
from shared.clients.withdrawals import Withdrawal

KEPT = "Your work is kept here."
KEPT_AS_VOTE = "It is kept as your vote. The label counts once enough people say the same."
LABELERS_DECIDE = "You upload and look; people with the role labeler decide labels. An admin can give you that role."


_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~$&@]|:(?=[\w/])|(?<=www)\.|^[-+=]|(?<=^\d)[.)]", re.IGNORECASE)


def plain(text: str) -> str:
    """Return data as Markdown that shows it as it is: no link, no image, no emphasis, no directive of Streamlit;
    control characters and line breaks become spaces."""
    return _MARKDOWN.sub(r"\\\g<0>", "".join(each if each.isprintable() else " " for each in text))


def code(text: str) -> str:
    """Return data as a code span."""
    return f"`{''.join(each if each.isprintable() else ' ' for each in text).replace('`', ' ')}`"


def duration(start: datetime, end: datetime) -> str:
    """Return the time between two moments, as precise as a person needs it."""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def prediction_facts(prediction: Prediction) -> str:
    """Return which model answered, how fast, and from how many corrections."""
    number = len(prediction.corrections)
    behind = "" if not number else f" · {number} {'correction' if number == 1 else 'corrections'} behind it"
    return f"{plain(prediction.model_version)} · {prediction.milliseconds:.1f} ms{behind}"


def correction_effect(entry: HistoryEntry, *, waiting: bool, frozen: bool = False) -> str:
    """Return what a correction has changed so far; `waiting` while the page still looks for more, `frozen` while no
    model is promoted."""
    if entry.state == "superseded":
        return f"Your label **{plain(entry.label_to or '')}** was not applied: another one came first."
    done = f"Your label **{plain(entry.label_to or '')}** is saved"
    if entry.no_label == "withdrawn":
        done = "Your label is taken back"
    if entry.live_in is not None and entry.live_at is not None and entry.occurred_at is not None:
        return f"{done}; live in {code(entry.live_in)} after {duration(entry.occurred_at, entry.live_at)}."
    if entry.set_aside is not None:
        aside = f"{done}. The model leaves it out for now: {plain(entry.set_aside)}"
        return f"{aside} The label stays, and the next full training tries it again."
    if frozen:
        return f"{done}. The model follows when promotions are no longer frozen."
    if waiting:
        return f"{done}. The model is learning it …"
    return f"{done}. The model in service does not follow it yet; it is tried again with the next label."


def label_conflict(conflict: LabelConflict, person: str) -> str:
    """Return what a conflict means to the person, who decided about at least one of the two images."""
    counting, overruled = conflict.counting, conflict.overruled
    if person == overruled.decided_by:
        other = "You" if person == counting.decided_by else plain(counting.decided_by)
        said = f"{other} labelled another file with the same pixels {_said(counting)} later."
        return f"{said} That counts for both, instead of your label {_said(overruled)}."
    said = f"{plain(overruled.decided_by)} labelled another file with the same pixels {_said(overruled)} before."
    return f"{said} Your label {_said(counting)} is the later one: it counts for both."


def _said(decided: DecidedLabel) -> str:
    """Return a decision in a word or two."""
    return f"**{plain(decided.label or (decided.no_label or '').replace('_', ' '))}**"


QUARANTINED = (
    "Quarantined: it resembles training and test images, so it is in neither. Label it like any other. The page"
    " Quarantine shows what it resembles."
)


def resembled(group: ResembledGroup) -> str:
    """Return how many images on which side a quarantined one resembles."""
    side = "training" if group.side == "train" else "test"
    if not group.count:
        return f"{side} images that were withdrawn since"
    return f"{group.count} {side} {'image' if group.count == 1 else 'images'}"


def similar(image: SimilarImage) -> str:
    """Return what is known of a similar image: its label, or what the model says."""
    if image.label is not None:
        return plain(image.label)
    return "no label" if image.prediction is None else f"no label; {plain(image.prediction.label)}?"


def frozen(freeze: PromotionView, *, operator: bool) -> str:
    """Return by whom, why and since when promotions are frozen, and what that means."""
    since = f"{freeze.promoted_at:%d %B, %H:%M} UTC"
    next_step = " Lift the freeze on the page Models." if operator else ""
    reason = plain(freeze.summary).rstrip(".")
    return f"Promotions are frozen since {since}. {reason}. Labels are saved; the model follows later.{next_step}"


def drifted(drift: DriftView) -> str:
    """Return what a drift is, since when, and what helps."""
    since = f"{drift.window_from:%d %B, %H:%M} UTC"
    if drift.statistic == "accuracy":
        before = drift.figures.get("accuracy_before", 1.0)
        return (
            f"Since {since} people agree with {drift.value:.0%} of the answers they are shown; before it was"
            f" {before:.0%}. New labels help: the model is trained again with them."
        )
    return (
        f"Since {since} pictures look different from those the model has learned. Review begins with what was stored"
        " since then: labels for it help most, and the model is trained again with them."
    )


def live_accuracy(live: LiveAccuracy) -> str:
    """Return how often people agreed, with the interval and of how many."""
    return (
        f"People agreed with {live.agreed / live.answers:.0%} of {live.answers} answers since the last full training"
        f" ({live.low:.0%} to {live.high:.0%})."
    )


def not_confirmed(label: str | None, detail: str) -> str:
    """Return the warning about a label that was sent without an answer."""
    return f"Your label **{plain(label or '')}** is not saved yet. {plain(detail)}"


def no_model(waits_for: str) -> str:
    """Return why no model answers yet; `waits_for` is what the API says about the first one, or empty."""
    return f"No model is in service yet, but you can set labels. {waits_for}".rstrip()


def prediction_change(before: Prediction, after: Prediction) -> str:
    """Return how the model's answer changed."""
    old, new = before.probabilities.get(before.label, 0.0), after.probabilities.get(after.label, 0.0)
    said, says = plain(before.label), plain(after.label)
    if said == says:
        return f"The model still says **{says}**, {new:.0%} instead of {old:.0%}."
    return f"The model said {said} ({old:.0%}); now it says **{says}** ({new:.0%})."


def withdrawn(done: Withdrawal) -> str:
    """Return what was done to a withdrawn image, and which models saw it."""
    saw = list(dict.fromkeys([*done.seen_by, *done.held_by]))
    models = (
        f"{len(saw)} {'model' if len(saw) == 1 else 'models'} saw it: {', '.join(saw)}." if saw else "No model saw it."
    )
    again = " The model in service did: a training without it is asked for." if done.serving else ""
    return f"The image is withdrawn, and its bytes are deleted. {models}{again}"
