"""How good answers are: figures from probabilities and truths, nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.trainer.model.arrays import Floats, Indices


@dataclass(frozen=True)
class ClassScore:
    """recall: share of the `images` of this class answered with it; precision: share of the answers with this class
    that are right. 0..1; None where there is nothing to divide by."""

    label: str
    images: int
    recall: float | None
    precision: float | None


@dataclass(frozen=True)
class Evaluation:
    """Figures over `images` test images; accuracy and auc 0..1, log_loss in nats.

    None: no images (accuracy, log_loss), or not two classes with images of both (auc). confusion[truth][answer] counts.
    """

    images: int
    accuracy: float | None
    log_loss: float | None
    auc: float | None
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    def metrics(self, prefix: str = "test") -> dict[str, float]:
        """Return the figures that exist, flat, as they are logged: test_accuracy, test_recall_grass, ..."""
        figures = {"images": self.images, "accuracy": self.accuracy, "log_loss": self.log_loss, "auc": self.auc}
        for score in self.classes:
            figures |= {f"recall_{score.label}": score.recall, f"precision_{score.label}": score.precision}
        return {f"{prefix}_{name}": float(value) for name, value in figures.items() if value is not None}


def evaluate(probabilities: Floats, truths: Indices, labels: tuple[str, ...]) -> Evaluation:
    """Return figures for probabilities float [n, c] against the true class of each image, indices [n] into `labels`."""
    images, classes = len(truths), len(labels)
    answers = probabilities.argmax(axis=1)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (truths, answers), 1)
    likelihood = np.maximum(probabilities[np.arange(images), truths].astype(np.float64), 1e-15)
    return Evaluation(
        images=images,
        accuracy=float((answers == truths).mean()) if images else None,
        log_loss=float(-np.log(likelihood).mean()) if images else None,
        auc=area_under_curve(probabilities[:, 1], truths == 1) if classes == 2 else None,
        classes=tuple(_class_score(confusion, index, label) for index, label in enumerate(labels)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def evaluate_slices(
    probabilities: Floats, truths: Indices, labels: tuple[str, ...], slices: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Evaluation]:
    """Return the same figures for parts of the test images; each slice is a mask [n], such as what the review queue
    chose."""
    return {name: evaluate(probabilities[mask], truths[mask], labels) for name, mask in slices.items()}


def area_under_curve(scores: Floats, positive: NDArray[np.bool_]) -> float | None:
    """Return the chance that a positive scores above a negative, ties counting half (the Mann-Whitney statistic); None
    without both."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    last_rank = sizes.cumsum()
    ranks = (last_rank - (sizes - 1) / 2)[group]  # from 1; equal scores share their mean rank
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(probabilities: Floats, truths: Indices, bins: int = 10) -> float:
    """Return the expected calibration error (Naeini et al. 2015), 0..1: by how much, on average, the share of right
    answers differs from the probability of the answer, over bins of equal width. `probabilities` [n, c], n >= 1."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truths
    number = np.minimum((sure * bins).astype(int), bins - 1)  # [n]
    filled = [number == one for one in range(bins) if (number == one).any()]
    return float(sum(mask.mean() * abs(sure[mask].mean() - right[mask].mean()) for mask in filled))


def _class_score(confusion: NDArray[np.int64], index: int, label: str) -> ClassScore:
    right, images, answered = int(confusion[index, index]), int(confusion[index].sum()), int(confusion[:, index].sum())
    return ClassScore(label, images, right / images if images else None, right / answered if answered else None)
