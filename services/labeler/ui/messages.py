"""The sentences of the pages (Markdown), as pure functions of values."""

from datetime import datetime

from shared.clients.answers import HistoryEntry, Prediction, ReviewItem

UNDONE = "Your last label is undone. The image is as it was before."
KEPT = "Your work is kept here."


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
    return f"{prediction.model_version} · {prediction.milliseconds:.1f} ms{behind}"


def correction_effect(entry: HistoryEntry, *, waiting: bool, frozen: bool = False) -> str:
    """Return what a correction has changed so far; `waiting` while the page still looks for more, `frozen` while no
    model is promoted."""
    if entry.state == "superseded":
        return f"Your label **{entry.label_to}** was not applied: another one came first."
    done = f"Your label **{entry.label_to}** is saved"
    if entry.no_label == "withdrawn":
        done = "Your label is taken back"
    if entry.live_in is not None and entry.live_at is not None and entry.occurred_at is not None:
        return f"{done}; live in `{entry.live_in}` after {duration(entry.occurred_at, entry.live_at)}."
    if entry.set_aside is not None:
        aside = f"{done}. The model leaves it out for now: {entry.set_aside}"
        return f"{aside} The label stays, and the next full training tries it again."
    if frozen:
        return f"{done}. The model follows when promotions are no longer frozen."
    if waiting:
        return f"{done}. The model is learning it …"
    return f"{done}. The model in service does not follow it yet; it is tried again with the next label."


def not_confirmed(label: str | None, detail: str) -> str:
    """Return the warning about a label that was sent without an answer."""
    return f"Your label **{label}** is not saved yet. {detail}"


def no_model(images_per_label: int) -> str:
    """Return why no model answers before the first training."""
    first = f"The first model needs {images_per_label} images of each label."
    return f"No model is in service yet, but you can set labels. {first}"


def prediction_change(before: Prediction, after: Prediction) -> str:
    """Return how the model's answer changed."""
    old, new = before.probabilities.get(before.label, 0.0), after.probabilities.get(after.label, 0.0)
    if before.label == after.label:
        return f"The model still says **{after.label}**, {new:.0%} instead of {old:.0%}."
    return f"The model said {before.label} ({old:.0%}); now it says **{after.label}** ({new:.0%})."


def current_label(item: ReviewItem) -> str:
    """Return the current label of an image and where it comes from."""
    if item.label is None:
        return "It has no label yet."
    source = {"seed": "from the data set", "claimed": "set by the uploader", "reviewed": "set by a reviewer"}
    return f"Label: **{item.label}**, {source[item.trust]}."
