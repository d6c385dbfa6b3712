"""The accuracy of what was in service, over time, with what people and the gate did."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from services.labeler.ui.words import models as words
from shared.clients.model_history import PromotionPoint

HEIGHT_PIXELS = 240
MARKS = {
    "Corrections": ("circle", "#3d7a35"),
    "Full training": ("square", "#1f4e9e"),
    "Rollback": ("triangle-down", "#a32018"),
    "Override": ("triangle-up", "#8a3ea8"),
    "Approved": ("diamond", "#1f4e9e"),
    "Freeze": ("cross", "#0b6b78"),
    "Unfreeze": ("cross", "#8a5a00"),
}
"""Shape and colour of each mark: the shape alone tells them apart, but for the two of a freeze."""


def accuracy_chart(points: Sequence[PromotionPoint]) -> None:
    """Draw the line, oldest first; nothing if fewer than two promotions were measured."""
    measured = [point for point in points if point.accuracy is not None]
    if len(measured) < 2:
        return
    spec, first, last = chart_spec(measured), measured[0], measured[-1]
    st.vega_lite_chart(
        spec,
        width="stretch",
        height=HEIGHT_PIXELS,
        alt=f"Accuracy on the test images of v{first.sequence} to v{last.sequence}: from {first.accuracy:.1%} to"
        f" {last.accuracy:.1%}",
    )


def chart_spec(points: Sequence[PromotionPoint]) -> dict[str, Any]:
    """Return the chart in the words of Vega-Lite; all data is inside."""
    values = [
        {
            "when": point.promoted_at.isoformat(),
            "accuracy": point.accuracy,
            "name": f"v{point.sequence}",
            "version": point.version,
            "what": words.mark(point),
            "why": point.summary,
        }
        for point in points
    ]
    used = [mark for mark in MARKS if mark in {value["what"] for value in values}]
    time = {"field": "when", "type": "temporal", "title": None}
    height = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "Accuracy on test images",
        "axis": {"format": ".1~%"},
        "scale": {"zero": False, "padding": 10},
    }
    kind = {"field": "what", "type": "nominal", "title": None, "legend": {"orient": "top", "symbolSize": 90}}
    colour = {**kind, "scale": {"domain": used, "range": [MARKS[mark][1] for mark in used]}}
    shape = {**kind, "scale": {"domain": used, "range": [MARKS[mark][0] for mark in used]}}
    size = {"condition": {"test": "datum.what === 'Corrections'", "value": 25}, "value": 110}
    told = [
        {"field": "name", "title": "Model"},
        {"field": "version", "title": "Version"},
        {"field": "accuracy", "format": ".1%", "title": "Accuracy"},
        {"field": "what", "title": "What"},
        {"field": "why", "title": "Why"},
        {**time, "format": "%-d %b %Y, %H:%M:%S", "title": "Since"},
    ]
    return {
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "line", "interpolate": "step-after", "color": "#5b6b58", "strokeWidth": 1.5},
                "encoding": {"x": time, "y": height},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1},
                "encoding": {"x": time, "y": height, "color": colour, "shape": shape, "size": size, "tooltip": told},
            },
        ],
    }
