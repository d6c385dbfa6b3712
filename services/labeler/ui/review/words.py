"""The sentences of Review, as plain text: the surface shows text, never markup."""

from services.labeler.decisions.sampling import DRIFTED
from services.labeler.ui.messages import QUARANTINED, duration
from services.labeler.ui.review.moves import Move, Outcome
from shared.clients.answers import HistoryEntry, ReviewItem, ShownPrediction
from shared.clients.review import QueueName

SOURCES = {"seed": "from the data set", "claimed": "set by the uploader", "reviewed": "set by a reviewer"}
PAUSED = "Answer the question below first."
ENDED = "The session has ended. Log in again. Your labels are kept, and are sent then."


SAID_BY_BARS: tuple[QueueName, ...] = ("doubtful", "contradicts_label", "drifted", "new_today", "filter")
"""The queues whose reason is that of the model."""


def why_shown(item: ReviewItem, prediction: ShownPrediction | None, queue: QueueName = "doubtful") -> list[str]:
    """Return why the image is in its queue, and its label. What the bars beside it say is not repeated."""
    label = current_label(item)
    if item.prediction is None or prediction is None or queue not in SAID_BY_BARS or item.trust == "reviewed":
        why = [item.reason, label]
    elif item.reason.startswith(DRIFTED):
        why = [DRIFTED, label]
    elif item.label is not None and item.label != prediction.label:
        why = [f"{label[:-1]}; the model contradicts it."]
    else:
        why = ["The model is unsure." if "unsure" in item.reason else "Not checked by a person yet.", label]
    if item.quarantined:
        why.append(QUARANTINED)
    return [line for line in why if line]


def current_label(item: ReviewItem) -> str:
    """Return the current label of an image and where it comes from; nothing without one, which the reason says."""
    return "" if item.label is None else f"Label: {item.label}, {SOURCES[item.trust]}."


def outcome_text(move: Move, outcome: Outcome | None) -> str:
    """Return what became of a move, before its effect is known."""
    if outcome is None:
        return "saving …"
    if outcome.state == "superseded" and move.kind == "label" and outcome.label == move.label:
        return f"Another person had already chosen {outcome.label}, so there is nothing left to do here."
    words = {
        "left": "kept for you under Left for later" if move.kind == "later" else "it waits again",
        "accepted": "in the log, being saved …",
        "voted": "vote taken back" if move.kind == "undo" else "kept as your vote",
        "applied": f"saved (revision {outcome.revision})",
        "unsent": outcome.detail,
        "superseded": outcome.detail,
        "declined": f"{'Not undone' if move.kind == 'undo' else 'Not saved'}. {outcome.detail}",
    }
    return words[outcome.state]


def effect_text(entry: HistoryEntry, *, waiting: bool, frozen: bool) -> str:
    """Return what an applied move has changed so far; `waiting` while the page still looks for more, `frozen` while no
    model is promoted."""
    saved = f"{'taken back' if entry.no_label == 'withdrawn' else 'saved'} (revision {entry.revision})"
    if entry.live_in is not None and entry.live_at is not None and entry.occurred_at is not None:
        return f"live in {entry.live_in} after {duration(entry.occurred_at, entry.live_at)}"
    if entry.set_aside is not None:
        return f"{saved}; the model leaves it out for now: {entry.set_aside}"
    if frozen:
        return f"{saved}; the model follows when promotions are no longer frozen"
    if waiting:
        return f"{saved}; the model is learning it …"
    return f"{saved}; the model in service does not follow it yet; it is tried again with the next label"
