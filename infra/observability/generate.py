"""Writes dashboards and alerts, for Grafana and Prometheus in containers and in Kubernetes, and the page of metrics;
`make generated` writes them."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.observability.alerts import rules
from infra.observability.catalogue import page
from infra.observability.dashboards import DASHBOARDS
from infra.observability.panels import to_json

INFRA = Path(__file__).parents[1]
CONTAINERS = INFRA / "containers"
MONITORING = INFRA / "k8s" / "components" / "monitoring"
HEAD = "# Written by `make generated` from infra/observability: change it there.\n"


def files() -> Mapping[Path, str]:
    """Return the content of each generated file."""
    dashboards = {f"{each.name}.json": json.dumps(to_json(each), indent=1) + "\n" for each in DASHBOARDS}
    in_cluster = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "pappus", "namespace": "pappus"},
        "spec": rules(),
    }
    return {
        **{CONTAINERS / "grafana" / "dashboards" / name: text for name, text in dashboards.items()},
        **{MONITORING / "dashboards" / name: text for name, text in dashboards.items()},
        CONTAINERS / "prometheus" / "rules" / "pappus.yml": HEAD + _text(rules()),
        MONITORING / "rules.yaml": HEAD + _text(in_cluster),
        INFRA.parent / "docs" / "metrics.md": page(),
    }


def _text(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120)
