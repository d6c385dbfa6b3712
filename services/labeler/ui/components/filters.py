"""The filters of Browse. The address says what is chosen; a change writes a new address."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import streamlit as st

from services.labeler.ui.messages import plain
from services.labeler.ui.sessions.browse_address import SORTS, write_address
from shared.clients.browse import FacetCount, ImageFilter, Sort

SORT_WORDS: dict[Sort, str] = {
    "newest": "Newest first",
    "doubtful": "Doubtful answers first",
    "contradicting": "Contradicted labels first",
}
TRUST_WORDS = {"claimed": "claimed by the uploader", "seed": "from a data set", "reviewed": "checked by a person"}
SPLIT_WORDS = {"training": "training", "test": "test", "quarantined": "quarantined"}
FLAG_WORDS = {
    "unlabelled": "not labelled yet",
    "none_of_these": "none of these",
    "unusable": "unusable",
    "unsure": "unsure",
}
COPIES_WORDS = {
    "same_bytes": "the same file came again",
    "same_pixels": "another file with the same pixels",
    "near": "near-duplicates",
}
MODEL_WORDS = {"": "any answer", "true": "disagrees with the label", "false": "agrees with the label"}
Facets = dict[str, list[FacetCount]]


def show_filters(asked: ImageFilter, sort: Sort, labels: Sequence[str], facets: Facets) -> None:
    """Draw all filters as the address has them; `facets`: how many images each value has."""
    disagrees = "" if asked.disagrees is None else str(asked.disagrees).lower()
    st.session_state["filter-group"] = asked.group
    with st.container(horizontal=True, key="browse-filters"):
        _draw(st.text_input, "name", "File name", asked.name or "", placeholder="part of a name")
        _several("label", "Label", asked.label, facets, labels)
        _one("disagrees", "The model", list(MODEL_WORDS), disagrees, lambda value: MODEL_WORDS[value])
        _one("sort", "Order", list(SORTS), sort, lambda value: SORT_WORDS[value])
    more = asked.model_dump(exclude_defaults=True).keys() - {"name", "label", "disagrees", "group"}
    with st.expander(f"More filters ({len(more)} set)" if more else "More filters", expanded=bool(more)):
        _more_filters(asked, labels, facets)


def _more_filters(asked: ImageFilter, labels: Sequence[str], facets: Facets) -> None:
    first, second, third = st.columns(3)
    with first:
        _several("flagged", "Without a label", asked.flagged, facets, list(FLAG_WORDS), FLAG_WORDS)
        _several("trust", "Label is", asked.trust, facets, list(TRUST_WORDS), TRUST_WORDS)
    with second:
        _several("by", "Decided by", asked.by, facets, [])
        _several("split", "Used for", asked.split, facets, list(SPLIT_WORDS), SPLIT_WORDS)
    with third:
        _several("predicted", "The model says", asked.predicted, {}, labels)
        _several("copies", "Copies of it", asked.copies, facets, list(COPIES_WORDS), COPIES_WORDS)
        _draw(st.text_input, "version", "Model version", asked.version[0] if asked.version else "")
    first, second, third = st.columns(3)
    with first:
        _draw(st.date_input, "since", "Stored on or after", asked.since.date() if asked.since else None)
    with second:
        last = (asked.until - timedelta(microseconds=1)).date() if asked.until else None
        _draw(st.date_input, "until", "Stored up to", last)
    with third:
        low, high = asked.min_confidence, asked.max_confidence
        shown = (0 if low is None else round(low * 100), 100 if high is None else round(high * 100))
        _draw(st.slider, "confidence", "Confidence of the model", shown, min_value=0, max_value=100, format="%d %%")


def _several(
    name: str,
    title: str,
    chosen: Sequence[str],
    facets: Facets,
    known: Sequence[str],
    words: dict[str, str] | None = None,
) -> None:
    counts = {each.value: each.count for each in facets.get(name, ())}
    options = list(dict.fromkeys([*known, *counts, *chosen]))

    def shown(value: str) -> str:
        word = plain((words or {}).get(value, value))
        return f"{word} ({counts.get(value, 0):,})" if name in facets else word

    _draw(st.multiselect, name, title, list(chosen), options=options, format_func=shown, placeholder="any")


def _one(name: str, title: str, options: list[Any], chosen: Any, words: Callable[[Any], str]) -> None:
    _draw(st.selectbox, name, title, chosen, options=options, format_func=words)


def _draw(widget: Callable[..., Any], name: str, title: str, value: Any, **more: Any) -> None:
    """Draw a widget that shows `value`; a change writes the address."""
    key = f"filter-{name}"
    st.session_state[key] = value
    widget(title, key=key, on_change=_changed, **more)


def _changed() -> None:
    state = {str(name).removeprefix("filter-"): value for name, value in st.session_state.items() if _is_filter(name)}
    low, high = state.get("confidence") or (0, 100)
    version = str(state.get("version") or "").strip()
    asked = ImageFilter(
        label=state.get("label", []),
        trust=state.get("trust", []),
        by=state.get("by", []),
        split=state.get("split", []),
        predicted=state.get("predicted", []),
        flagged=state.get("flagged", []),
        copies=state.get("copies", []),
        group=state.get("group"),
        version=[version] if version else [],
        name=str(state.get("name") or "").strip() or None,
        disagrees={"true": True, "false": False}.get(str(state.get("disagrees"))),
        min_confidence=low / 100 if low > 0 else None,
        max_confidence=high / 100 if high < 100 else None,
        since=_midnight(state.get("since")),
        until=_midnight(state.get("until"), 1),
    )
    st.query_params.from_dict(write_address(asked, state.get("sort") or SORTS[0]))


def _is_filter(name: str | int) -> bool:
    return str(name).startswith("filter-")


def _midnight(day: date | None, later: int = 0) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=later)
