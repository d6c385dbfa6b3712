"""The surface of Review: a component in the browser that is told what to show, and answers with its list of moves."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit as st

from services.labeler.ui.review import queue_words, words
from services.labeler.ui.review.session import ReviewSession
from shared.clients.answers import ReviewItem, ShownPrediction
from shared.clients.review import QueueName

ASSETS = Path(__file__).parent / "assets"
FILES = {path.name: path.read_bytes() for path in sorted(ASSETS.iterdir()) if path.suffix in (".js", ".css")}
VERSION = sha256(b"".join(FILES.values())).hexdigest()[:16]
"""A part of the address of the scripts, so that a browser keeps them until they change."""
PATH = "/review-surface"
KEY = "review-surface"
TOP = 9
"""As many labels have a key, and a probability in what the browser is told."""

_LOADER = f"""export default async (component) => {{
  const surface = await import(location.origin + "{PATH}/{VERSION}/surface.js");
  return surface.default(component);
}}"""


@cache
def _component() -> Callable[..., Any]:
    """Return what mounts the component; it is registered when a page is drawn for the first time."""
    css = FILES["surface.css"].decode()
    return st.components.v2.component("pappus_review", html="<div id='review'></div>", css=css, js=_LOADER)


def show_surface(review: ReviewSession, person: str, labels: tuple[str, ...]) -> Any:
    """Draw the surface. Return what the browser said last, None before it has."""
    told = {
        "person": person,
        "labels": labels,
        "items": [item_data(item, review.prediction(item), review.chosen.name) for item in review.shown()],
        "left": review.left(),
        "many": review.more,
        "outcomes": review.outcomes(),
        "dropped": [str(image_id) for image_id in review.dropped],
        "paused": words.PAUSED if review.withdrawing.asked is not None else "",
        "problem": review.problem,
        "end": queue_words.LOADING if review.loading else queue_words.end_text(review.chosen.name, review.left()),
        "more": review.reading_ahead(),
        "heard": _heard(),
        "queue": review.chosen.key,
        "queues": review.chosen.choices(review.counts, review.filters),
        "chosen": review.choice,
        "skipped": review.skipped,
        "check": _check(review),
    }
    return _component()(key=KEY, data=told, default={"said": None}, on_said_change=lambda: None).get("said")


def _heard() -> int:
    """Return the number of what the browser said last, so that each time it is told something new and knows that it
    was heard."""
    known = st.session_state.get(KEY)
    said = known.get("said") if known else None
    return int(said.get("asked", 0)) if said else 0


def _check(review: ReviewSession) -> dict[str, str] | None:
    """Return the question about the last decisions, None for none. `key` names it."""
    asked = review.double_check
    if asked is None:
        return None
    return {"key": asked.asked_about.isoformat(), "text": queue_words.double_check_text(asked)}


def item_data(item: ReviewItem, prediction: ShownPrediction | None, queue: QueueName = "doubtful") -> dict[str, Any]:
    """Return an image as the browser is told of it, with the likeliest labels first."""
    answer = None
    if prediction is not None:
        likely = sorted(prediction.probabilities.items(), key=lambda entry: -entry[1])
        answer = {
            "prediction_id": str(prediction.prediction_id),
            "model_version": prediction.model_version,
            "label": prediction.label,
            "probability": min(1.0, max(0.0, prediction.probabilities.get(prediction.label, 0.0))),
            "top": likely[:TOP],
            "others": max(0, len(likely) - TOP),
        }
    return {
        "id": str(item.image_id),
        "label": item.label,
        "revision": item.revision,
        "why": words.why_shown(item, prediction, queue),
        "answer": answer,
    }
