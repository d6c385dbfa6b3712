"""Dashboards and alerts: generated, explained, about metrics that exist, and right by Prometheus' own tests."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from infra.observability.alerts import ALERTS
from infra.observability.dashboards import DASHBOARDS
from infra.observability.panels import to_json

ROOT = Path(__file__).parents[3]
RULES = ROOT / "infra/containers/prometheus/rules/pappus.yml"
SERIES = re.compile(r"\b(?:pappus|process|python)_[a-z_]+\b")
QUERIES = [
    *(query for board in DASHBOARDS for panel in board.panels for query in panel.queries.values()),
    *(alert.query for alert in ALERTS),
]
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus")


def test_every_panel_says_what_is_normal() -> None:
    for board in DASHBOARDS:
        titles = [panel.title for panel in board.panels]
        assert len(set(titles)) == len(titles)
        for panel in board.panels:
            assert panel.normal.endswith("."), f"{board.name}: {panel.title}"
            assert panel.queries


def test_dashboards_are_in_the_form_that_grafana_provisions() -> None:
    for board in DASHBOARDS:
        document = to_json(board)
        assert document["id"] is None
        assert document["uid"] == f"pappus-{board.name}"
        assert "__inputs" not in document
        assert {variable["name"] for variable in document["templating"]["list"]} == {"service", "version"}
        places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in document["panels"]]
        assert len(set(places)) == len(places)
        assert json.loads(json.dumps(document)) == document


def test_every_alert_has_a_section_in_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert [heading for heading in headings if heading.startswith("Pappus")] == [alert.name for alert in ALERTS]


def test_queries_name_metrics_that_the_catalogue_has() -> None:
    catalogue = (ROOT / "docs/metrics.md").read_text()
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for query in QUERIES for name in SERIES.findall(query)}
    ours = {name for name in named if name.startswith("pappus")}
    assert sorted(name for name in ours if f"`{name}`" not in catalogue) == []


@promtool
def test_rules_are_right_by_their_own_unit_tests() -> None:
    tests = ROOT / "tests/unit/deploy/alerts.test.yml"
    done = subprocess.run(["promtool", "test", "rules", str(tests)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    named = {
        each["alertname"] for case in yaml.safe_load(tests.read_text())["tests"] for each in case["alert_rule_test"]
    }
    assert named == {alert.name for alert in ALERTS}, "each alert has a test"


def test_prometheus_reads_the_rules_from_the_folder_that_compose_mounts() -> None:
    found = yaml.safe_load((ROOT / "infra/containers/prometheus/prometheus.yml").read_text())
    mounts = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["prometheus"]["volumes"]
    (pattern,) = found["rule_files"]
    assert any(mount.split(":")[1] == str(Path(pattern).parent) for mount in mounts)
    assert RULES.is_file()
