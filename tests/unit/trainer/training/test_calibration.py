"""Probabilities that mean something."""

import numpy as np
import pytest
from numpy.typing import NDArray

from services.trainer.model.head import probabilities
from services.trainer.training.calibration import (
    FOLDS,
    UNSEEN_FOLD,
    TrainingFeatures,
    fit_calibrated_head,
    fit_temperature,
    fold_of,
)
from services.trainer.training.logistic_regression import fit_head

LABELS = ("a", "b")


def noisy(images: int, seed: int, features: int = 60) -> tuple[NDArray[np.float32], list[str]]:
    """Return features of which two say a little about the label, and the others nothing."""
    generator = np.random.default_rng(seed)
    truths = generator.integers(0, 2, images)
    points = generator.normal(0, 1, (images, features))
    points[:, :2] += 1.2 * truths[:, None]
    return points.astype(np.float32), [LABELS[truth] for truth in truths]


def log_loss(head_logits: NDArray[np.float32], targets: list[str]) -> float:
    chosen = probabilities(head_logits)[np.arange(len(targets)), [LABELS.index(target) for target in targets]]
    return float(-np.log(chosen).mean())


def test_a_head_that_is_too_sure_is_cooled_and_loses_less() -> None:
    features, targets = noisy(120, seed=0)
    later, truths = noisy(2000, seed=1)
    folds = [number % FOLDS for number in range(120)]
    plain = fit_head(features, targets, LABELS, 1.0).head
    fitted = fit_calibrated_head(TrainingFeatures(features), targets, LABELS, folds, inverse_penalty=1.0)
    assert fitted.temperature > 1.5
    assert log_loss(fitted.head.logits(later), truths) < log_loss(plain.logits(later), truths) - 0.1
    assert fitted.out_of_fold_log_loss == pytest.approx(log_loss(fitted.head.logits(later), truths), abs=0.15)
    assert np.array_equal(fitted.head.logits(later).argmax(axis=1), plain.logits(later).argmax(axis=1))


def test_the_temperature_is_found_again() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (4000, 3)).astype(np.float32)
    truths = (probabilities(logits).cumsum(axis=1) < generator.random((4000, 1))).sum(axis=1)
    temperature, _ = fit_temperature(logits * 2.5, truths)
    assert temperature == pytest.approx(2.5, rel=0.1)


def test_answers_without_an_error_do_not_lead_to_certainty() -> None:
    logits = np.array([[4, 0], [0, 4]] * 15, np.float32)
    temperature, loss = fit_temperature(logits, np.array([0, 1] * 15))
    assert temperature > 0.9
    assert loss < 0.1


def test_of_a_backbone_that_has_seen_the_labels_only_unseen_answers_count() -> None:
    features, targets = noisy(150, seed=0)
    known = features.copy()
    known[:, 5] = [6.0 * (target == "b") for target in targets]  # it has learned the answers by heart
    folds = [number % FOLDS for number in range(150)]
    unseen = known.copy()
    unseen[np.array(folds) == UNSEEN_FOLD] = features[np.array(folds) == UNSEEN_FOLD]
    fooled = fit_calibrated_head(TrainingFeatures(known), targets, LABELS, folds)
    honest = fit_calibrated_head(TrainingFeatures(known), targets, LABELS, folds, unseen=TrainingFeatures(unseen))
    assert honest.temperature > 2 * fooled.temperature


def test_mirrored_images_are_seen_too_but_weigh_no_more() -> None:
    features, targets = noisy(60, seed=3)
    folds = [number % FOLDS for number in range(60)]
    once = fit_calibrated_head(TrainingFeatures(features), targets, LABELS, folds)
    twice = fit_calibrated_head(TrainingFeatures(features, features), targets, LABELS, folds)
    np.testing.assert_allclose(once.head.weights, twice.head.weights, atol=2e-3)
    other = fit_calibrated_head(TrainingFeatures(features, features + 1), targets, LABELS, folds)
    assert np.abs(other.head.mean - once.head.mean).max() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("images", [4, 12])
def test_with_few_images_the_temperature_stays_one(images: int) -> None:
    features, _ = noisy(images, seed=0)
    targets = [LABELS[number % 2] for number in range(images)]
    fitted = fit_calibrated_head(TrainingFeatures(features), targets, LABELS, [0] * images)
    assert (fitted.temperature, fitted.out_of_fold_log_loss) == (1.0, None)


def test_the_fold_comes_from_the_bytes_alone() -> None:
    assert [fold_of("0" * 63 + digit) for digit in "01256"] == [0, 1, 2, 0, 1]
