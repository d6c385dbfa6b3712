"""What is counted stays bounded, and tells when a correction was live."""

from prometheus_client import REGISTRY

from services.predictor.metrics import count_answer, show_model
from tests.unit.predictor.promotions import promotion


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_an_answer_is_counted_by_label_and_source_and_by_its_older_names() -> None:
    before = [value("pappus_predictions_total", label="grass", source=source) for source in ("api", "stored")]
    older = value("mlops_model_predictions_total", predicted_class="grass")
    count_answer("grass", 0.75, "api")
    count_answer("grass", 0.75, "stored")
    after = [value("pappus_predictions_total", label="grass", source=source) for source in ("api", "stored")]
    assert after == [count + 1 for count in before]
    assert value("mlops_model_predictions_total", predicted_class="grass") == older + 1


def test_confidence_is_that_of_the_label_which_was_answered() -> None:
    before = value("mlops_model_confidence_sum")
    count_answer("grass", 0.75, "api")
    assert value("mlops_model_confidence_sum") == before + 0.75


def test_the_model_that_answers_is_the_only_one_shown() -> None:
    show_model(promotion(1))
    show_model(promotion(2))
    shown = [s for m in REGISTRY.collect() if m.name == "pappus_model_info" for s in m.samples]
    assert [sample.labels["model_version"] for sample in shown] == ["fast-2"]
    assert REGISTRY.get_sample_value("pappus_model_sequence_number") == 2
