"""The correction layer: what makes the corrected images right, and changes answers only near them.

A Gaussian-process residual on the sphere (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", ch.
2.7) with the kernel exp(kappa (cosine - 1)); in model editing a key-value memory (GRACE, Hartvigsen et al. 2023). An
answer is `logits(f) + exp(kappa (f/|f| @ centers.T - 1)) @ coefficients`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.trainer.model.arrays import Floats
from services.trainer.model.blas_threads import one_blas_thread
from shared.contract.artefact import CorrectionEntry

Mask = NDArray[np.bool_]

KAPPA = 40.0
"""The features of the default backbone are rectified, so all of them point into one corner of the space: the median
cosine to the mirrored image is 0.96 (weight 0.24), to the nearest other image 0.93 (0.06), to any other 0.75 (0.00005).
"""
RIDGE = 0.01
MARGIN = 2.5
"""In logits. Correcting photographs one after the other (20 splits of 320), kappa and margin trade what a correction
reaches for what it breaks:

kappa, margin   resized copies right   mirrored   re-encoded   other answers changed   stopped by the gate
30, 1.5         0.93                   0.64       1.00         0.8 %                   12 %
40, 1.5         0.89                   0.46       1.00         0.1 %                   4 %
40, 2.5         0.98                   0.61       1.00         0.3 %                   5 %
50, 2.5         0.96                   0.48       1.00         0.1 %                   4 %
"""


@dataclass(frozen=True)
class CorrectionLayer:
    """centers float32 [m, d] of unit length, coefficients float32 [m, c], the entry of each row; m may be 0."""

    centers: Floats
    coefficients: Floats
    entries: tuple[CorrectionEntry, ...]
    kappa: float = KAPPA


def empty_layer(features: int, classes: int) -> CorrectionLayer:
    """Return the layer that changes nothing, for d features and c classes."""
    return CorrectionLayer(np.zeros((0, features), np.float32), np.zeros((0, classes), np.float32), ())


def fit_layer(
    features: Floats,
    base_logits: Floats,
    targets: NDArray[np.intp],
    entries: Sequence[CorrectionEntry],
    *,
    kappa: float = KAPPA,
    ridge: float = RIDGE,
    margin: float = MARGIN,
) -> CorrectionLayer:
    """Return the layer that puts the class `targets` [n] of each corrected image ahead of every other by `margin` (in
    logits).

    base_logits [n, c] are what the head answers for features float32 [n, d] without any layer. A correction the head
    gets right by `margin` is left out, unless the others would push it below: then it is held where the head has it.
    `entries` name the corrections, in the order of the rows.
    """
    unit = unit_length(features)  # [n, d]
    shortfall = margin - margins(base_logits, targets)  # [n]; > 0 where the head is wrong, or right by too little
    wanted = np.zeros(base_logits.shape)
    wanted[np.arange(len(targets)), targets] = np.maximum(shortfall, 0)  # [n, c], to be added to the logits
    chosen = shortfall > 0
    with one_blas_thread():
        while True:
            rows = np.flatnonzero(chosen)
            kernel = np.exp(kappa * ((unit @ unit[rows].T).astype(np.float64) - 1))  # [n, m]
            coefficients = np.linalg.solve(kernel[rows] + ridge * np.eye(len(rows)), wanted[rows])  # [m, c]
            answered = base_logits + kernel @ coefficients
            pushed_below = ~chosen & (margins(answered, targets) < margin)
            if not pushed_below.any():
                break
            chosen |= pushed_below
    kept = tuple(entry for entry, held in zip(entries, chosen, strict=True) if held)
    return CorrectionLayer(unit[rows], coefficients.astype(np.float32), kept, kappa)


def kernel_weights(layer: CorrectionLayer, features: Floats) -> Floats:
    """Return how near features float32 [n, d] are to each corrected image: float32 [n, m], 0..1, where 1 is the same
    image."""
    cosines = unit_length(features) @ layer.centers.T
    return np.asarray(np.exp(np.float32(layer.kappa) * (cosines - np.float32(1))), dtype=np.float32)


def layer_logits(layer: CorrectionLayer, features: Floats, ignored: Mask | None = None) -> Floats:
    """Return what the layer adds to the logits of features float32 [n, d]: float32 [n, c].

    `ignored` [n, m] is True where an image is to be answered without a row; see `own_rows`.
    """
    weights = kernel_weights(layer, features)
    return (weights if ignored is None else np.where(ignored, np.float32(0), weights)) @ layer.coefficients


def own_rows(layer: CorrectionLayer, image_ids: Sequence[UUID]) -> Mask:
    """Return [n, m], True where a row is the correction of that very image: to evaluate a corrected test image without
    it."""
    corrected = np.array([str(image_id) for image_id, _ in layer.entries], dtype=str)
    asked = np.array([str(image_id) for image_id in image_ids], dtype=str)
    return np.asarray(asked[:, None] == corrected[None, :], dtype=np.bool_)


def most_responsible(
    layer: CorrectionLayer, features: Floats, answered: NDArray[np.intp], truths: NDArray[np.intp]
) -> tuple[CorrectionEntry, ...]:
    """Return the corrections that pushed images from their true class to the one answered, strongest push first.

    For images with features [n, d] the model now gets wrong: the push of a row is its kernel weight times how much more
    it adds to the class `answered` [n] than to the class `truths` [n], summed over the images. Rows that push the other
    way, or not at all, are not named.
    """
    towards = layer.coefficients[:, answered] - layer.coefficients[:, truths]  # [m, n]
    push = (kernel_weights(layer, features) * towards.T).sum(axis=0)  # [m]
    strongest_first = np.argsort(-push, kind="stable")
    return tuple(layer.entries[row] for row in strongest_first if push[row] > 1e-6)


def margins(logits: Floats | NDArray[np.float64], targets: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return by how much the target class [n] is ahead of the best other one in logits [n, c]; negative where
    behind."""
    rows = np.arange(len(targets))
    others = logits.astype(np.float64)
    others[rows, targets] = -np.inf
    return np.asarray(logits[rows, targets] - others.max(axis=1), dtype=np.float64)


def unit_length(features: Floats) -> Floats:
    """Return each row of [n, d] scaled to length 1 (rows of zeros stay zero)."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), dtype=np.float32)
