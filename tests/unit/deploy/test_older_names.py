"""The names of metrics that dashboards of older projects know: real values, under their labels."""

from collections.abc import Callable
from importlib import import_module

import pytest
import yaml
from prometheus_client import REGISTRY

from infra.observability.catalogue import DECLARED
from services.labeler.ui.metrics import PAGE_VIEWS, PREDICTIONS
from services.predictor.metrics import count_answer
from shared.http.metrics import REQUEST_SECONDS, REQUESTS
from tests.documents.markdown import ROOT

ROUTE = {"method": "POST", "endpoint": "/older"}
MOVES: dict[str, tuple[dict[str, str], Callable[[], None]]] = {
    "request_count_total": (ROUTE, lambda: REQUESTS.labels("POST", "/older", "200").inc()),
    "request_latency_seconds_count": ({}, lambda: REQUEST_SECONDS.labels("POST", "/older").observe(0.1)),
    "mlops_api_requests_total": (
        {**ROUTE, "status": "503"},
        lambda: REQUESTS.labels("POST", "/older", "503").inc(),
    ),
    "mlops_api_request_duration_seconds_count": ({}, lambda: REQUEST_SECONDS.labels("GET", "/older").observe(0.1)),
    "streamlit_page_views_total": ({"page": "older"}, lambda: PAGE_VIEWS.labels("older").inc()),
    "predict_button_clicks_total": ({}, lambda: PREDICTIONS.labels("older").inc()),
    "mlops_model_predictions_total": ({"predicted_class": "older"}, lambda: count_answer("older", 0.5, "api")),
    "mlops_model_confidence_count": ({}, lambda: count_answer("older", 0.5, "api")),
}
"""Each second name with the labels that the older queries ask for, and what makes it move by one."""


def value(name: str) -> float:
    return REGISTRY.get_sample_value(name, MOVES[name][0]) or 0.0


@pytest.mark.parametrize("name", MOVES)
def test_a_second_name_moves_with_its_metric_and_never_by_itself(name: str) -> None:
    before = value(name)
    assert value(name) == before
    MOVES[name][1]()
    assert value(name) == before + 1
    assert value(name) == before + 1


def test_every_second_name_is_among_those_that_move() -> None:
    aliases = [alias for module in map(import_module, DECLARED) for alias in getattr(module, "ALIASES", ())]
    assert {alias.shown for alias in aliases} == {name.removesuffix("_count") for name in MOVES}


def test_the_number_of_pods_is_a_rule_of_prometheus() -> None:
    groups = yaml.safe_load((ROOT / "infra/containers/prometheus/rules/pappus.yml").read_text())["groups"]
    records = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"] if "record" in rule}
    assert records == {"mlops_kubernetes_pods": 'count(up{job="pappus"} == 1)'}
