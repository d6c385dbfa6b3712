"""Accuracy over the number of labels, with its interval, and what the last labels brought."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from services.labeler.ui.words import learning as words
from shared.clients.model_history import CurvePoint, LearningCurve

HEIGHT_PIXELS = 240
LEAST_LABELS = 20
LINE, BAND = "#3d7a35", "#9fc79a"


def learning_curve(found: LearningCurve) -> None:
    """Show what the last labels brought in a sentence, and the curve where the numbers of labels differ enough."""
    st.subheader(words.TITLE, anchor=False)
    if found.last is None:
        st.markdown(words.nothing_yet(found))
    else:
        st.markdown(words.brought(found.last))
        st.caption(words.basis(found.last))
    labels = [point.labels for point in found.points]
    if labels and max(labels) - min(labels) >= LEAST_LABELS:
        alt = words.chart_in_words(found)
        st.vega_lite_chart(curve_spec(found.points), width="stretch", height=HEIGHT_PIXELS, alt=alt)


def curve_spec(points: Sequence[CurvePoint]) -> dict[str, Any]:
    """Return the chart in the words of Vega-Lite; all data is inside."""
    names = {"name": "Model", "version": "Version", "labels": "Labels", "right": "Right", "images": "Test images"}
    shares = {"accuracy": "Accuracy", "low": "At least", "high": "At most"}
    told = [{"field": field, "title": title} for field, title in names.items()]
    told += [{"field": field, "title": title, "format": ".1%"} for field, title in shares.items()]
    across = {
        "field": "labels",
        "type": "quantitative",
        "title": "Labels that the model learned from",
        "scale": {"zero": False, "padding": 10},
        "axis": {"tickMinStep": 1},
    }
    height = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "Accuracy on test images",
        "axis": {"format": ".1~%"},
        "scale": {"zero": False},
    }
    band = {"x": across, "y": {**height, "field": "low"}, "y2": {"field": "high"}}
    values = [{**point.model_dump(), "name": f"v{point.sequence}"} for point in points]
    return {
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "area", "color": BAND, "opacity": 0.35}, "encoding": band},
            {"mark": {"type": "line", "color": LINE, "strokeWidth": 1.5}, "encoding": {"x": across, "y": height}},
            {
                "mark": {"type": "point", "filled": True, "color": LINE, "opacity": 1, "size": 40},
                "encoding": {"x": across, "y": height, "tooltip": told},
            },
        ],
    }
