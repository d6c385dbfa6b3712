"""Second names have the same values, added up over the labels that they do not have."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from shared.runtime.metric_aliases import Alias


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_counter_has_its_second_name_with_other_labels(registry: CollectorRegistry) -> None:
    requests = Counter("requests", "Requests.", ["method", "route", "status"], registry=registry)
    Alias("request_count", requests, {"method": "method", "route": "endpoint"}, registry=registry)
    assert registry.get_sample_value("request_count_total", {"method": "POST", "endpoint": "/predict"}) is None
    requests.labels("POST", "/predict", "200").inc(3)
    requests.labels("POST", "/predict", "503").inc()
    assert registry.get_sample_value("request_count_total", {"method": "POST", "endpoint": "/predict"}) == 4


def test_only_the_series_that_count_are_in_it(registry: CollectorRegistry) -> None:
    answers = Counter("answers", "Answers.", ["label", "source"], registry=registry)
    alias = Alias("predictions", answers, {"label": "predicted_class"}, {"source": "api"}, registry=registry)
    answers.labels("grass", "api").inc()
    answers.labels("grass", "stored").inc(5)
    assert registry.get_sample_value("predictions_total", {"predicted_class": "grass"}) == 1
    assert (alias.shown, alias.of, alias.only) == ("predictions_total", "answers_total", "only source=api")


def test_a_histogram_keeps_its_buckets(registry: CollectorRegistry) -> None:
    seconds = Histogram("seconds", "Times.", ["route"], buckets=(1, 2), registry=registry)
    Alias("latency", seconds, registry=registry)
    seconds.labels("/a").observe(0.5)
    seconds.labels("/b").observe(1.5)
    found = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        if family.name == "latency"
        for sample in family.samples
    }
    assert found["latency_bucket", "1.0"] == 1
    assert found["latency_bucket", "+Inf"] == found["latency_count", None] == 2
    assert found["latency_sum", None] == 2
