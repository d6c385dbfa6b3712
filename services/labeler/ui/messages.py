"""What the pages say, as pure functions from values to sentences (Markdown)."""

from datetime import datetime

from services.labeler.ui.clients import Answer
from services.labeler.views import HistoryEntry, ReviewItem

NO_RELOAD = "Do not reload this page: that would lose it."
KEPT = f"Your work is kept here. {NO_RELOAD}"


def duration(start: datetime, end: datetime) -> str:
    """The time between two moments, as precise as a person cares."""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def answer_facts(answer: Answer) -> str:
    """Who answered, how fast, and what was behind it."""
    number = len(answer.corrections)
    behind = "" if not number else f" · {number} {'correction' if number == 1 else 'corrections'} behind it"
    return f"{answer.model_version} · {answer.milliseconds:.1f} ms{behind}"


def effect(entry: HistoryEntry, *, waiting: bool) -> str:
    """What a correction did so far; `waiting` while somebody still looks for more."""
    if entry.state == "superseded":
        return f"Your correction to **{entry.label_to}** came second and was not applied."
    done = f"Your correction to **{entry.label_to}** is revision {entry.revision}"
    if entry.live_in is not None and entry.live_at is not None and entry.occurred_at is not None:
        return f"{done}; live in `{entry.live_in}` after {duration(entry.occurred_at, entry.live_at)}."
    if entry.set_aside is not None:
        aside = f"{done}. It is set aside for now: {entry.set_aside}"
        return f"{aside} The label stays; the next full training takes it up again."
    if waiting:
        return f"{done}. The model is learning it …"
    frozen = "If this stays so, ask an operator whether promotions are frozen."
    return f"{done}. No model in service holds it yet. {frozen}"


def kept(label: str, detail: str) -> str:
    """A label that was sent, and whose arrival nobody confirmed."""
    return f"**{label}** is kept here, not confirmed yet. {detail} {NO_RELOAD}"


def until_chosen(label: str | None) -> str:
    """What an image is while the person thinks again."""
    return f"Until you choose again, it counts as {label}, decided by you."


def no_model(images_per_label: int) -> str:
    """Nothing answers, because nothing was trained yet."""
    first = f"The first needs {images_per_label} images of each label."
    return f"No model is in service yet; labels can be set without it. {first}"


def change(before: Answer, after: Answer) -> str:
    """How the model's answer changed."""
    old, new = before.probabilities.get(before.label, 0.0), after.probabilities.get(after.label, 0.0)
    if before.label == after.label:
        return f"The model still says **{after.label}**, {new:.0%} instead of {old:.0%}."
    return f"The model said {before.label} ({old:.0%}); now it says **{after.label}** ({new:.0%})."


def current_label(item: ReviewItem) -> str:
    """What the image is called now, and on whose word."""
    if item.label is None:
        return "It has no label yet."
    source = {"seed": "came with the data set", "claimed": "the uploader's word", "reviewed": "a reviewer's decision"}
    return f"Labelled **{item.label}**: {source[item.trust]}."
