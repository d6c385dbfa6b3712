"""The space in which a correction layer measures how near two images are: few numbers, uncorrelated, of variance 1.

In the features themselves all images lie close to each other, because some directions carry most of the variance. After
whitening (Kessy, Lewin and Strimmer 2018, "Optimal Whitening and Decorrelation") views of one image stay together and
different images come apart. A space belongs to a backbone: the full lane fits it, and the fast lane keeps it.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from services.trainer.model.arrays import Floats
from services.trainer.model.blas_threads import one_blas_thread

DIMENSIONS = 64
FEWEST_DIMENSIONS = 8
"""With fewer directions unrelated images point into the same one too often: then the features themselves are used."""
SAMPLED = 4_000
"""A space is fitted to at most so many rows, evenly taken: more hardly move 64 directions."""
GRID = np.float32(2**15)
"""Rows of a layer have coordinates in whole steps of 1 / GRID. Sums of their products are exact in 64-bit floats, so a
cosine is the same number however and whenever it is computed."""

VIEW_WEIGHT = 0.5
OTHER_WEIGHT = 0.04
"""A correction should weigh at least so much on the usual view of its image, and at most so much on the nearest other
image of the usual image (medians)."""
LOWEST_KAPPA, HIGHEST_KAPPA = 3.0, 40.0
COMPARED = 500
"""Kappa is chosen on at most so many images: the more there are, the nearer is the nearest other one."""


@dataclass(frozen=True)
class LayerSpace:
    """A place is (features - mean) @ projection. float32: mean [d], projection [d, k]."""

    mean: Floats
    projection: Floats

    def place(self, features: Floats) -> Floats:
        """Return the places float32 [n, k] of features float32 [n, d]."""
        return np.asarray((features - self.mean) @ self.projection, dtype=np.float32)


@dataclass(frozen=True)
class LayerGeometry:
    """A space with its kappa, and the cosines that kappa was chosen by: of the usual view to its image, and of the
    usual image to the nearest other one."""

    space: LayerSpace
    kappa: float
    view_cosine: float
    other_cosine: float


def fit_geometry(features: Floats, mirrored: Floats | None, viewed: Floats, views: Floats) -> LayerGeometry | None:
    """Return the geometry for training images with features float32 [n, d]; None if they have too few directions.

    `mirrored` [n, d] are the same images mirrored, None where mirroring changes no feature. views [v * s, d] are mild
    views of the s images with features viewed [s, d], one kind after the other.
    """
    space = fit_space(features if mirrored is None else np.concatenate((features, mirrored)))
    if space is None:
        return None
    own = unit_length(space.place(viewed))  # [s, k]
    seen = unit_length(space.place(views)).reshape(-1, *own.shape)  # [v, s, k]
    view_cosine = float(np.median((seen * own).sum(axis=2)))
    compared = unit_length(space.place(features[:: -(-len(features) // COMPARED)]))  # [m, k]
    cosines = compared @ compared.T
    np.fill_diagonal(cosines, -1.0)
    other_cosine = float(np.median(cosines.max(axis=1)))
    return LayerGeometry(space, choose_kappa(view_cosine, other_cosine), view_cosine, other_cosine)


def fit_space(features: Floats) -> LayerSpace | None:
    """Return the leading directions of standardised features float32 [n, d], each scaled to variance 1; None if there
    are fewer than FEWEST_DIMENSIONS. Equal features give equal bits."""
    chosen = features[:: -(-len(features) // SAMPLED)].astype(np.float64) if len(features) else features
    count, width = chosen.shape
    if min(count, width) < FEWEST_DIMENSIONS:
        return None
    mean, scale = chosen.mean(axis=0), chosen.std(axis=0)
    scale[scale < 1e-6] = 1.0  # a constant feature carries no information
    standardised = (chosen - mean) / scale  # [n, d]
    with one_blas_thread():
        if count < width:
            variances, combinations = np.linalg.eigh(standardised @ standardised.T / count)  # ascending
            axes = standardised.T @ combinations  # [d, n], each of length sqrt(count * variance)
            axes /= np.maximum(np.linalg.norm(axes, axis=0), 1e-12)
        else:
            variances, axes = np.linalg.eigh(standardised.T @ standardised / count)
        kept = np.flatnonzero(variances > 1e-6 * variances[-1])[::-1][:DIMENSIONS]
        if len(kept) < FEWEST_DIMENSIONS:
            return None
        projection = axes[:, kept] / np.sqrt(variances[kept]) / scale[:, None]  # [d, k]
    return LayerSpace(mean.astype(np.float32), projection.astype(np.float32))


def choose_kappa(view_cosine: float, other_cosine: float) -> float:
    """Return the kappa of the kernel exp(kappa (cosine - 1)).

    The smallest one with which a correction weighs no more than OTHER_WEIGHT on the nearest other image. If with that
    it weighs less than VIEW_WEIGHT on a view of its own image, the two wishes contradict each other, and kappa is their
    geometric mean. Rounded to two decimals; between LOWEST_KAPPA and HIGHEST_KAPPA.
    """
    lowest = -log(OTHER_WEIGHT) / max(1 - other_cosine, 1e-6)
    highest = -log(VIEW_WEIGHT) / max(1 - view_cosine, 1e-6)
    wanted = lowest if lowest <= highest else sqrt(lowest * highest)
    return round(min(max(wanted, LOWEST_KAPPA), HIGHEST_KAPPA), 2)


def unit_length(features: Floats) -> Floats:
    """Return each row of [n, d] scaled to length 1 (rows of zeros stay zero)."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), dtype=np.float32)


def snap_to_grid(units: Floats) -> Floats:
    """Return rows of unit length [n, k] with coordinates in whole steps of 1 / GRID."""
    return np.asarray(np.round(units * GRID) / GRID, dtype=np.float32)
