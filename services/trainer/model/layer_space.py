"""The space in which a correction layer measures how near two images are: few numbers, uncorrelated, of variance 1.

In the features themselves all images lie close to each other, because some directions carry most of the variance. After
whitening (Kessy, Lewin and Strimmer 2018, "Optimal Whitening and Decorrelation") views of one image stay together and
different images come apart. A space belongs to a backbone: the full lane fits it, and the fast lane keeps it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

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

A_BLOCK = 8_192
"""Rows that are placed at once: 33 MB of a thousand features."""
VIEW_WEIGHT = 0.6
"""What a correction weighs on the usual mild view of its image, if that can be had."""
LOWEST_KAPPA, HIGHEST_KAPPA = 5.0, 16.0
NEAREST_END, FARTHEST_END = 0.8, 0.5
"""Between these cosines a layer ends. With few images even the nearest other one is far: an end at 0.44 let a hundred
wrong labels cost 4.6 points of accuracy on other images, at 0.5 and kappa 5 it is 1.1."""


@dataclass(frozen=True)
class LayerSpace:
    """A place is (features - mean) @ projection. float32: mean [d], projection [d, k]."""

    mean: Floats
    projection: Floats

    def place(self, features: Floats) -> Floats:
        """Return the places float32 [n, k] of features float32 [n, d]."""
        blocks = [features[at : at + A_BLOCK] for at in range(0, max(len(features), 1), A_BLOCK)]
        return np.concatenate([np.asarray((block - self.mean) @ self.projection, dtype=np.float32) for block in blocks])


@dataclass(frozen=True)
class LayerGeometry:
    """A space, with the kappa of its kernel and the weight at which that ends, and the cosines that both were chosen
    by: of the usual view to its image, and of the usual image to the nearest other one (medians)."""

    space: LayerSpace
    kappa: float
    end: float
    view_cosine: float
    other_cosine: float


def fit_geometry(
    training: Floats, mirrored: Floats | None, everything: Floats, viewed: Sequence[int], views: Floats
) -> LayerGeometry | None:
    """Return the geometry for training images with features float32 [n, d]; None if they have too few directions.

    `mirrored` [n, d] are the same images mirrored, None where mirroring changes no feature. Kappa and end are chosen by
    some rows `viewed` [s] of `everything` [m, d]: better of images that the space was not fitted to, since those lie
    nearer to others. views [v * s, d] are mild views of them, one kind after the other.
    """
    space = fit_space(training if mirrored is None else np.concatenate((training, mirrored)))
    if space is None or not len(viewed):
        return None
    units = unit_length(space.place(everything))  # [m, k]
    own = units[list(viewed)]  # [s, k]
    seen = unit_length(space.place(views)).reshape(-1, *own.shape)  # [v, s, k]
    view_cosine = float(np.median((seen * own).sum(axis=2)))
    cosines = own @ units.T  # [s, m]
    cosines[np.arange(len(own)), list(viewed)] = -1.0
    other_cosine = float(np.median(cosines.max(axis=1)))
    kappa, end = choose_kernel(view_cosine, other_cosine)
    return LayerGeometry(space, kappa, end, view_cosine, other_cosine)


def choose_kernel(view_cosine: float, other_cosine: float) -> tuple[float, float]:
    """Return kappa and the end of the kernel (exp(kappa (cosine - 1)) - end) / (1 - end), not below 0.

    The end is the value at `other_cosine`, so that a correction does not reach the usual nearest other image. Kappa is
    the largest with which it weighs VIEW_WEIGHT on a view of its own image: the steeper the kernel, the less it does to
    others. Both have bounds; kappa is rounded to two decimals.
    """
    last = min(max(other_cosine, FARTHEST_END), NEAREST_END)

    def weight_of_view(kappa: float) -> float:
        end = exp(kappa * (last - 1))
        return (exp(kappa * (view_cosine - 1)) - end) / (1 - end)

    low, high = LOWEST_KAPPA, HIGHEST_KAPPA
    for _ in range(20):  # the weight falls with kappa
        middle = (low + high) / 2
        low, high = (middle, high) if weight_of_view(middle) >= VIEW_WEIGHT else (low, middle)
    kappa = round(low, 2)
    return kappa, exp(kappa * (last - 1))


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


def unit_length(features: Floats) -> Floats:
    """Return each row of [n, d] scaled to length 1 (rows of zeros stay zero)."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), dtype=np.float32)


def snap_to_grid(units: Floats) -> Floats:
    """Return rows of unit length [n, k] with coordinates in whole steps of 1 / GRID."""
    return np.asarray(np.round(units * GRID) / GRID, dtype=np.float32)
