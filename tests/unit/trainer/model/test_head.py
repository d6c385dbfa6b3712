import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from services.trainer.model.head import probabilities
from services.trainer.training.logistic_regression import INVERSE_PENALTY, fit_head


def clusters(classes: int, images: int = 60, features: int = 20) -> tuple[NDArray[np.float32], list[str]]:
    generator = np.random.default_rng(classes)
    truths = np.arange(images) % classes
    centres = generator.normal(0, 1, (classes, features))
    points = centres[truths] + generator.normal(0, 1.5, (images, features))
    return (points * 3 + 5).astype(np.float32), [f"class-{truth}" for truth in truths]


def labels(classes: int) -> list[str]:
    return [f"class-{index}" for index in range(classes)]


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_head_is_the_logistic_regression_of_scikit_learn(classes: int) -> None:
    features, targets = clusters(classes)
    fitted = fit_head(features, targets, labels(classes), inverse_penalty=0.05)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    doubled = 2 if classes == 2 else 1  # the binary form has one weight vector for the difference of two
    reference = LogisticRegression(C=0.05 * doubled, tol=1e-8, max_iter=2000).fit(standardised, targets)
    expected = reference.predict_proba(standardised)
    assert np.abs(probabilities(fitted.head.logits(features)) - expected).max() < 1e-3


def test_the_curve_is_what_it_says_and_falls() -> None:
    features, targets = clusters(3)
    fitted = fit_head(features, targets, labels(3))
    assert len(fitted.curve) > 2
    assert list(fitted.curve) == sorted(fitted.curve, reverse=True)
    chosen = probabilities(fitted.head.logits(features))[np.arange(60), np.arange(60) % 3]
    penalty = np.square(fitted.head.weights).sum() / (2 * INVERSE_PENALTY * 60)
    assert fitted.curve[-1] == pytest.approx(-np.log(chosen).mean() + penalty, rel=1e-4)


def test_the_same_features_give_the_same_bits() -> None:
    features, targets = clusters(3)
    one, other = (fit_head(features, targets, labels(3)).head for _ in range(2))
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.bias.tobytes() == other.bias.tobytes()


def test_a_feature_that_never_changes_is_harmless() -> None:
    features, targets = clusters(2)
    features[:, 4] = 7
    head = fit_head(features, targets, labels(2)).head
    assert head.scale[4] == 1
    assert np.abs(head.weights[4]).max() < 1e-6
    assert np.isfinite(head.logits(features)).all()


def test_labels_keep_the_order_they_are_given_in() -> None:
    features, targets = clusters(2)
    forward = fit_head(features, targets, ["class-0", "class-1"]).head.logits(features)
    backward = fit_head(features, targets, ["class-1", "class-0"]).head.logits(features)
    assert np.abs(forward - backward[:, ::-1]).max() < 1e-4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["class-0"], "at least two"),
        (["class-0", "class-2"], "class-1"),
        (["class-0", "class-1", "class-2"], "class-2"),
    ],
)
def test_labels_and_images_must_fit(names: list[str], message: str) -> None:
    features, targets = clusters(2)
    with pytest.raises(ValueError, match=message):
        fit_head(features, targets, names)
