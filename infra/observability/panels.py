"""Panels and dashboards as data, and the classic JSON that Grafana reads from files (schema version 39)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

DATA_SOURCE = {"type": "prometheus", "uid": "pappus-prometheus"}
WIDTH, HEIGHT, IN_A_ROW = 8, 8, 3
PREDICT = 'route=~"/predict|/invocations|/v2/models/.+/infer"'
"""The routes that answer about an image while the client waits."""
Kind = Literal["timeseries", "stat", "table"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `queries`: PromQL by legend. `normal`: a sentence that says what a person should expect to see."""

    title: str
    normal: str
    unit: str
    queries: Mapping[str, str]
    kind: Kind = "timeseries"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. Its address ends with `name`; `about`: a sentence below its title."""

    name: str
    title: str
    about: str
    panels: Sequence[Panel]


def rate(counter: str, by: str = "", where: str = "") -> str:
    """Return the query for events per second of a counter, added up by these labels."""
    return f"sum{_by(by)}(rate({counter}{{{_chosen(where)}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """Return the query for a quantile of a histogram, by these labels."""
    labels = f"le, {by}" if by else "le"
    inner = f"sum by ({labels})(rate({histogram}_bucket{{{_chosen(where)}}}[$__rate_interval]))"
    return f"histogram_quantile({share}, {inner})"


def gauge(name: str, by: str = "", where: str = "", fold: str = "max") -> str:
    """Return the query for a gauge, folded (`max`, `sum`) by these labels."""
    return f"{fold}{_by(by)}({name}{{{_chosen(where)}}})"


def or_zero(query: str) -> str:
    """Return the query with 0 where there is no series: what counts troubles has none before the first."""
    return f"{query} or vector(0)"


def to_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    return {
        "uid": f"pappus-{dashboard.name}",
        "id": None,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["pappus"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["pappus"], "title": "Pappus", "asDropdown": True}],
        "templating": {"list": [_variable("service", "pappus_part_healthy", "service"), _version()]},
        "annotations": {"list": [_promotions()]},
        "panels": [_panel(panel, number) for number, panel in enumerate(dashboard.panels)],
    }


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    place = {"x": number % IN_A_ROW * WIDTH, "y": number // IN_A_ROW * HEIGHT, "w": WIDTH, "h": HEIGHT}
    targets = [
        {
            "refId": chr(ord("A") + index),
            "expr": query,
            "legendFormat": legend,
            "datasource": DATA_SOURCE,
            **({"instant": True, "format": "table"} if panel.kind == "table" else {}),
        }
        for index, (legend, query) in enumerate(panel.queries.items())
    ]
    return {
        "id": number + 1,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.normal,
        "datasource": DATA_SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {},
    }


def _variable(name: str, metric: str, label: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": {"query": f"label_values({metric}, {label})", "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _version() -> dict[str, Any]:
    return {**_variable("version", "pappus_model_info", "model_version"), "label": "model version"}


def _promotions() -> dict[str, Any]:
    return {
        "name": "promotions",
        "enable": True,
        "iconColor": "green",
        "datasource": DATA_SOURCE,
        "expr": "changes(max(pappus_model_sequence_number)[1m:5s]) > 0",
        "titleFormat": "A model was promoted",
    }


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""


def _chosen(where: str) -> str:
    return ", ".join(filter(None, ('service=~"$service"', where)))
