"""A head whose probabilities mean something: its temperature is fitted to images that it has not learned.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks") on out-of-fold answers, with the
smoothed targets of Platt (1999), so that few images without an error do not lead to certainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats
from services.trainer.model.head import Head
from services.trainer.training.logistic_regression import INVERSE_PENALTY, FittedHead, fit_head, indices_of
from services.trainer.training.many_images import ManyImages

FOLDS = 5
UNSEEN_FOLD = 0
"""The fold that the second backbone of a supervised recipe does not learn from."""
MANY = 10_000
"""From so many images on the head is fitted in blocks of bounded size."""
FEWEST_IMAGES = 20
"""With fewer out-of-fold answers the temperature stays 1."""
COLDEST, WARMEST = 0.25, 4.0


@dataclass(frozen=True)
class TrainingFeatures:
    """Features of the training images, float32 [n, d], and of their mirror images; None if these are the same."""

    plain: Floats
    mirrored: Floats | None = None

    @property
    def views(self) -> tuple[Floats, ...]:
        """The arrays that a head is fitted to."""
        return (self.plain,) if self.mirrored is None else (self.plain, self.mirrored)

    def chosen(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "TrainingFeatures":
        """Return those of some of the images: a mask [n], or their numbers. The first ones in order are not copied."""
        if rows.dtype != np.bool_ and np.array_equal(rows, np.arange(len(rows))):
            plain, mirrored = self.plain[: len(rows)], self.mirrored
            return TrainingFeatures(plain, None if mirrored is None else mirrored[: len(rows)])
        return TrainingFeatures(self.plain[rows], None if self.mirrored is None else self.mirrored[rows])


@dataclass(frozen=True)
class CalibratedHead:
    """A head with the temperature that is folded into it, the mean log loss in nats of the out-of-fold answers at that
    temperature (None without such answers), and the curve of `FittedHead`."""

    head: Head
    temperature: float
    out_of_fold_log_loss: float | None
    curve: tuple[float, ...]


def fold_of(sha256: str) -> int:
    """Return the fold of the image with these bytes, 0 to 4: the same bytes are never on both sides."""
    return int(sha256[-8:], 16) % FOLDS


def fit_calibrated_head(
    training: TrainingFeatures,
    targets: Sequence[str],
    labels: Sequence[str],
    folds: Sequence[int],
    *,
    part_widths: Sequence[int] = (),
    unseen: TrainingFeatures | None = None,
    inverse_penalty: float = INVERSE_PENALTY,
) -> CalibratedHead:
    """Fit a head to the features of n images with these labels and folds, and its temperature to out-of-fold answers;
    deterministic.

    `unseen` are features of the same images under a backbone that has learned from the others than those of
    `UNSEEN_FOLD`: then only these are answered out of fold. Without, the backbone is taken as fixed, and each fold is
    answered by a head that is fitted to the others; of MANY images one fold says enough.

    Raises:
        ValueError: see `fit_head`.
    """
    if len(targets) >= MANY:
        return _fit_to_many(training, targets, labels, folds, part_widths, unseen, inverse_penalty)
    fitted = _fit(training, targets, labels, inverse_penalty, part_widths)
    answered, truths = [], []
    fold_numbers, names = np.array(folds), np.array(targets)
    for fold in range(FOLDS) if unseen is None else (UNSEEN_FOLD,):
        away = fold_numbers == fold
        if not away.any() or set(names[~away]) != set(labels):
            continue
        features = training if unseen is None else unseen
        others = _fit(features.chosen(~away), list(names[~away]), labels, inverse_penalty, part_widths).head
        answered.append(others.logits(features.plain[away]))
        truths.append(np.array([list(labels).index(name) for name in names[away]]))
    if sum(map(len, truths)) < FEWEST_IMAGES:
        return CalibratedHead(fitted.head, 1.0, None, fitted.curve)
    temperature, log_loss = fit_temperature(np.concatenate(answered), np.concatenate(truths))
    return CalibratedHead(fitted.head.cooled(temperature), temperature, log_loss, fitted.curve)


def fit_temperature(logits: Floats, truths: NDArray[np.intp]) -> tuple[float, float]:
    """Return the temperature, within limits, by which logits [n, c] have to be divided for the least log loss against
    smoothed truths [n], and the log loss in nats against the truths themselves then."""
    classes = logits.shape[1]
    counts = np.bincount(truths, minlength=classes)
    doubt = 1.0 / (counts[truths] + 2)  # [n]: Platt's (n + 1) / (n + 2) for the truth, the rest for the others
    wanted = np.repeat(doubt[:, None] / (classes - 1), classes, axis=1)  # [n, c]
    wanted[np.arange(len(truths)), truths] = 1 - doubt

    def loss(log_temperature: float) -> float:
        return float(-(wanted * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    limits = (np.log(COLDEST), np.log(WARMEST))
    temperature = float(np.exp(minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-4}).x))
    chosen = log_softmax(logits / temperature, axis=1)[np.arange(len(truths)), truths]
    return temperature, float(-chosen.mean())


def _fit_to_many(
    training: TrainingFeatures,
    targets: Sequence[str],
    labels: Sequence[str],
    folds: Sequence[int],
    part_widths: Sequence[int],
    unseen: TrainingFeatures | None,
    inverse_penalty: float,
) -> CalibratedHead:
    images = ManyImages(training.views, targets, labels, part_widths)
    fitted = images.fit(inverse_penalty)
    away = np.array(folds) == UNSEEN_FOLD
    truths = indices_of(targets, labels)[away]
    if len(truths) < FEWEST_IMAGES:
        return CalibratedHead(fitted.head, 1.0, None, fitted.curve)
    asked = training if unseen is None else unseen
    seen = images if unseen is None else ManyImages(unseen.views, targets, labels, part_widths)
    others = seen.fit(inverse_penalty, ~away).head
    temperature, log_loss = fit_temperature(others.logits(asked.plain[away]), truths)
    return CalibratedHead(fitted.head.cooled(temperature), temperature, log_loss, fitted.curve)


def _fit(
    features: TrainingFeatures,
    targets: Sequence[str],
    labels: Sequence[str],
    inverse_penalty: float,
    part_widths: Sequence[int],
) -> FittedHead:
    if features.mirrored is None:
        return fit_head(features.plain, targets, labels, inverse_penalty, part_widths)
    both = np.concatenate((features.plain, features.mirrored))  # [2n, d]
    return fit_head(both, [*targets, *targets], labels, inverse_penalty / 2, part_widths)  # the same for each image
