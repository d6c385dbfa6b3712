import numpy as np
import pytest
from sklearn.metrics import log_loss, precision_score, recall_score, roc_auc_score  # type: ignore[import-untyped]

from services.trainer.model.metrics import calibration_error, evaluate, evaluate_slices

LABELS = ("a", "b", "c")


def random_answers(images: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    scores = generator.random((images, classes)).round(1) + 0.05
    return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32), generator.integers(0, classes, images)


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed: int) -> None:
    probabilities, truths = random_answers(200, 3, seed)
    result = evaluate(probabilities, truths, LABELS)
    answers = probabilities.argmax(axis=1)
    assert result.accuracy == pytest.approx((answers == truths).mean())
    doubles = probabilities.astype(float)
    assert result.log_loss == pytest.approx(log_loss(truths, doubles / doubles.sum(axis=1, keepdims=True)), rel=1e-5)
    recalls = recall_score(truths, answers, average=None)
    precisions = precision_score(truths, answers, average=None)
    assert [score.recall for score in result.classes] == pytest.approx(recalls)
    assert [score.precision for score in result.classes] == pytest.approx(precisions)
    assert sum(map(sum, result.confusion)) == 200
    assert result.auc is None


@pytest.mark.parametrize("seed", range(5))
def test_area_under_curve_counts_ties_half(seed: int) -> None:
    probabilities, truths = random_answers(60, 2, seed)
    assert evaluate(probabilities, truths, ("a", "b")).auc == pytest.approx(roc_auc_score(truths, probabilities[:, 1]))


def test_confusion_has_truths_as_rows() -> None:
    probabilities = np.array([[0.1, 0.9], [0.9, 0.1], [0.8, 0.2]], dtype=np.float32)
    assert evaluate(probabilities, np.array([0, 0, 0]), ("a", "b")).confusion == ((2, 1), (0, 0))


def test_what_cannot_be_known_is_none_and_is_not_logged() -> None:
    nothing = evaluate(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("a", "b"))
    assert (nothing.accuracy, nothing.log_loss, nothing.auc) == (None, None, None)
    assert nothing.classes[0].recall is None
    assert nothing.metrics() == {"test_images": 0.0}


def test_a_slice_is_evaluated_on_its_own() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1]], dtype=np.float32)
    slices = {"queue": np.array([False, True]), "all": np.array([True, True])}
    results = evaluate_slices(probabilities, np.array([0, 1]), ("a", "b"), slices)
    assert results["queue"].accuracy == 0.0
    assert results["all"].metrics("all")["all_recall_a"] == 1.0


def test_the_calibration_error_is_the_distance_of_certainty_and_truth() -> None:
    sure = np.repeat([[0.95, 0.05], [0.35, 0.65]], 20, axis=0).astype(np.float32)
    truths = np.array([0] * 18 + [1] * 2 + [1] * 13 + [0] * 7)
    assert calibration_error(sure, truths) == pytest.approx(0.5 * 0.05, abs=1e-6)
    assert calibration_error(sure, 1 - truths) > 0.5
