"""A head for very many images is the head that the other way of fitting it gives."""

import numpy as np
import pytest

from services.trainer.model.arrays import Floats
from services.trainer.model.head import Head
from services.trainer.training import calibration, many_images
from services.trainer.training.calibration import UNSEEN_FOLD, TrainingFeatures, fit_calibrated_head
from services.trainer.training.logistic_regression import fit_head
from services.trainer.training.many_images import ManyImages

LABELS = ("a", "b", "c")
PENALTY = 0.02
WEAK = 5.0
CLOSE = 2e-3


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_images, "A_BLOCK", 64)
    monkeypatch.setattr(many_images, "SAMPLED", 150)


def correlated(images: int, seed: int = 0, width: int = 30) -> tuple[Floats, list[str]]:
    """Return features whose variances differ by a thousand, as those of photographs do, and a constant one."""
    chance = np.random.default_rng(seed)
    truths = chance.integers(0, len(LABELS), images)
    hidden = chance.normal(0, 1, (images, width)) * np.geomspace(1, 0.03, width)
    hidden[:, :3] += 1.5 * np.eye(3)[truths]
    features = hidden @ np.random.default_rng(9).normal(0, 1, (width, width)) + 3
    features[:, 5] = 7
    return features.astype(np.float32), [LABELS[truth] for truth in truths]


def weights_of(head: Head) -> Floats:
    return np.concatenate((head.weights, head.bias[None, :] - head.bias.mean()))


def test_it_is_the_head_that_fits_all_at_once() -> None:
    features, targets = correlated(1000)
    slow, quick = fit_head(features, targets, LABELS, WEAK), ManyImages([features], targets, LABELS).fit(WEAK)
    assert quick.curve[-1] == pytest.approx(slow.curve[-1], abs=1e-6)
    assert quick.head.logits(features) == pytest.approx(slow.head.logits(features), abs=0.1)
    assert len(quick.curve) < len(slow.curve) / 2


def test_images_that_do_not_count_change_nothing_but_the_standardisation() -> None:
    features, targets = correlated(900)
    counted = np.arange(900) % 3 > 0
    wrong = ["a" if not counts else target for counts, target in zip(counted, targets, strict=True)]
    one, other = (ManyImages([features], names, LABELS).fit(PENALTY, counted).head for names in (targets, wrong))
    assert np.array_equal(one.weights, other.weights)
    chosen = [target for counts, target in zip(counted, targets, strict=True) if counts]
    alone = fit_head(features[counted], chosen, LABELS, PENALTY).head
    agree = (one.logits(features).argmax(axis=1) == alone.logits(features).argmax(axis=1)).mean()
    assert agree > 0.99


def test_each_view_of_an_image_counts_its_share() -> None:
    features, targets = correlated(600)
    once = ManyImages([features], targets, LABELS).fit(PENALTY).head
    twice = ManyImages([features, features.copy()], targets, LABELS).fit(PENALTY).head
    assert weights_of(twice) == pytest.approx(weights_of(once), abs=CLOSE)
    mirrored = features + np.random.default_rng(3).normal(0, 0.5, features.shape).astype(np.float32)
    both = fit_head(np.concatenate((features, mirrored)), targets * 2, LABELS, PENALTY / 2).head
    of_views = ManyImages([features, mirrored], targets, LABELS).fit(PENALTY).head
    assert weights_of(of_views) == pytest.approx(weights_of(both), abs=CLOSE)


def test_each_part_of_the_features_has_a_head_of_its_own() -> None:
    features, targets = correlated(700)
    slow = fit_head(features, targets, LABELS, PENALTY, (10, 20)).head
    quick = ManyImages([features], targets, LABELS, (10, 20)).fit(PENALTY).head
    assert quick.parts == slow.parts == 2
    assert quick.logits(features) == pytest.approx(slow.logits(features), abs=0.02)
    with pytest.raises(ValueError, match="Mend `part_widths`"):
        ManyImages([features], targets, LABELS, (10, 10))


def test_the_same_calls_give_the_same_bits() -> None:
    features, targets = correlated(500)

    def fitted() -> list[Floats]:
        images = ManyImages([features], targets, LABELS)
        return [images.fit(PENALTY).head.weights, images.fit(PENALTY, np.arange(500) % 5 > 0).head.weights]

    assert all(np.array_equal(one, other) for one, other in zip(fitted(), fitted(), strict=True))


def test_a_label_without_an_image_is_refused() -> None:
    features, _ = correlated(20)
    with pytest.raises(ValueError, match="No training image is labelled"):
        ManyImages([features], ["a", "b"] * 10, LABELS)


@pytest.mark.parametrize("other_backbone", [False, True])
def test_the_temperature_is_nearly_that_of_all_folds(other_backbone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    features, targets = correlated(1500)
    folds = [number % 5 for number in range(1500)]
    unseen = TrainingFeatures(correlated(1500, seed=1)[0] if other_backbone else features)
    asked = unseen if other_backbone else None
    slow = fit_calibrated_head(TrainingFeatures(features), targets, LABELS, folds, unseen=asked, inverse_penalty=1.0)
    monkeypatch.setattr(calibration, "MANY", 1000)
    quick = fit_calibrated_head(TrainingFeatures(features), targets, LABELS, folds, unseen=asked, inverse_penalty=1.0)
    assert quick.temperature == pytest.approx(slow.temperature, rel=0.15)
    assert quick.out_of_fold_log_loss == pytest.approx(slow.out_of_fold_log_loss, rel=0.2)
    assert quick.head.logits(features) * quick.temperature == pytest.approx(
        slow.head.logits(features) * slow.temperature, abs=0.1
    )


def test_without_images_in_the_fold_there_is_no_temperature(monkeypatch: pytest.MonkeyPatch) -> None:
    features, targets = correlated(200)
    monkeypatch.setattr(calibration, "MANY", 100)
    fitted = fit_calibrated_head(TrainingFeatures(features), targets, LABELS, [UNSEEN_FOLD + 1] * 200)
    assert (fitted.temperature, fitted.out_of_fold_log_loss) == (1.0, None)
