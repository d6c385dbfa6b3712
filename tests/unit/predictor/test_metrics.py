"""What is counted stays bounded."""

from prometheus_client import REGISTRY

from services.predictor.metrics import PREDICTIONS, VERSIONS_COUNTED, show_model
from tests.unit.predictor.promotions import promotion


def counted(version: str) -> float | None:
    labels = {"label": "grass", "model_version": version, "source": "api"}
    return REGISTRY.get_sample_value("pappus_predictions_total", labels)


def test_counts_of_versions_that_served_long_ago_are_dropped() -> None:
    versions = [f"bounded-{number}" for number in range(VERSIONS_COUNTED + 3)]
    for number, version in enumerate(versions, start=1):
        show_model(promotion(number, version=version))
        PREDICTIONS.labels("grass", version, "api").inc()
    assert counted(versions[0]) is None
    assert counted(versions[2]) is None
    assert counted(versions[3]) == 1
    assert counted(versions[-1]) == 1


def test_the_model_that_answers_is_the_only_one_shown() -> None:
    show_model(promotion(1))
    show_model(promotion(2))
    shown = [s for m in REGISTRY.collect() if m.name == "pappus_model_info" for s in m.samples]
    assert [sample.labels["model_version"] for sample in shown] == ["fast-2"]
    assert REGISTRY.get_sample_value("pappus_model_sequence_number") == 2
