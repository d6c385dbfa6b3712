"""The correction layer: what makes the corrected images right, and changes answers only near them.

A Gaussian-process residual on the sphere (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", ch.
2.7) with the kernel exp(kappa (cosine - 1)) between places in a `LayerSpace`; in model editing a key-value memory
(GRACE, Hartvigsen et al. 2023, arXiv 2211.11031). An answer is `logits(f) + weights(f) @ coefficients`, where a weight
is the kernel less its value at the end of the layer, not below 0, scaled to 1 for the same image: further away a
correction changes nothing at all. Which corrections need a row, and how strong it is: `layer_rows`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.layer_rows import Doubles, Mask, find_rows
from services.trainer.model.layer_space import LayerSpace, snap_to_grid, unit_length
from services.trainer.model.neighbours import Neighbours
from shared.contract.artefact import CorrectionEntry

RAW_KAPPA = 40.0
"""Without a space (artefacts of format 1; too few images for one) cosines are those of the features. Rectified features
point into one corner: the median cosine to the mirrored image is 0.96, to the nearest other one 0.93."""
RIDGE = 0.01
MARGIN = 2.5
"""In logits. With 1.5 a fifth less of the resized copies follow; more changes more of other answers."""
NEGLIGIBLE = 1e-6
"""Without an end the equations leave out pairs with a smaller weight."""


@dataclass(frozen=True)
class CorrectionLayer:
    """centers float32 [m, k] of unit length, coefficients float32 [m, c], the entry of each row; m may be 0. A
    correction may have several rows: of its image, and of that image mirrored.

    space: where the rows lie; None: k = d, and they are features themselves. end: the weight at which the kernel ends.
    """

    centers: Floats
    coefficients: Floats
    entries: tuple[CorrectionEntry, ...]
    kappa: float = RAW_KAPPA
    space: LayerSpace | None = None
    end: float = 0.0


def empty_layer(
    features: int, classes: int, space: LayerSpace | None = None, kappa: float = RAW_KAPPA, end: float = 0.0
) -> CorrectionLayer:
    """Return the layer that changes nothing, for d features and c classes."""
    width = features if space is None else space.projection.shape[1]
    none = np.zeros((0, width), np.float32), np.zeros((0, classes), np.float32)
    return CorrectionLayer(*none, (), kappa, space, end)


def fit_layer(
    features: Floats,
    base_logits: Floats,
    targets: NDArray[np.intp],
    entries: Sequence[CorrectionEntry],
    *,
    space: LayerSpace | None = None,
    kappa: float = RAW_KAPPA,
    end: float = 0.0,
    ridge: float = RIDGE,
    margin: float = MARGIN,
    neighbours: Neighbours | None = None,
) -> CorrectionLayer:
    """Return the layer that puts the class `targets` [n] of each corrected image ahead of every other by `margin` (in
    logits), at least.

    base_logits [n, c] are what the head answers for features float32 [n, d] without any layer. A correction that head
    and others get right by `margin` is left out. An image whose place is zero has no direction, and is left out.
    `entries` name the corrections, in the order of the
    rows. `neighbours` remembers what earlier fits computed; the result is the same bit for bit without it.
    """
    none = empty_layer(features.shape[1], base_logits.shape[1], space, kappa, end)
    with one_blas_thread():
        units = snap_to_grid(place_units(none, features))  # [n, k]
    return fit_placed(units, base_logits, targets, entries, none, ridge=ridge, margin=margin, neighbours=neighbours)


def fit_placed(
    units: Floats,
    base_logits: Floats,
    targets: NDArray[np.intp],
    entries: Sequence[CorrectionEntry],
    like: CorrectionLayer,
    *,
    ridge: float = RIDGE,
    margin: float = MARGIN,
    neighbours: Neighbours | None = None,
) -> CorrectionLayer:
    """As `fit_layer`, for images of which it is known where they lie in the space of the layer `like`, whose kernel is
    taken: float32 [n, k], of unit length or zero, on the grid."""
    kappa, end = like.kappa, like.end
    if not len(units):
        return replace(like, centers=like.centers[:0], coefficients=like.coefficients[:0], entries=())
    nearest = 1 + log(end or NEGLIGIBLE) / kappa
    with one_blas_thread():
        kernel = (neighbours or Neighbours()).find(units, max(nearest, 1e-3))  # [n, n]
        kernel.data = weights_of(kernel.data, kappa, end)
        usable = np.asarray(units.any(axis=1))
        rows, coefficients = find_rows(kernel, base_logits, targets, usable, margin=margin, ridge=ridge)
    kept = tuple(entries[row] for row in rows)
    return CorrectionLayer(units[rows], coefficients.astype(np.float32), kept, kappa, like.space, end)


def weights_of(cosines: NDArray[np.floating], kappa: float, end: float) -> Doubles:
    """Return the weights 0..1 of corrections at these cosines; 1 at the cosine 1."""
    return np.asarray(np.maximum(np.exp(kappa * (cosines - 1)) - end, 0) / (1 - end))


def nearest_cosine(kappa: float, end: float) -> float:
    """Return the cosine up to which a weight is 0; minus infinity for a layer without an end."""
    return 1 + log(end) / kappa if end else -np.inf


def place_units(layer: CorrectionLayer, features: Floats) -> Floats:
    """Return in which direction from the middle of the layer's space features float32 [n, d] lie: of unit length,
    float32 [n, k]."""
    return unit_length(features if layer.space is None else layer.space.place(features))


def kernel_weights(layer: CorrectionLayer, features: Floats) -> Floats:
    """Return how near features float32 [n, d] are to each row: float32 [n, m], 0..1, where 1 is the same image."""
    return np.asarray(_near_weights(layer, features).toarray())


def _near_weights(layer: CorrectionLayer, features: Floats, ignored: Mask | None = None) -> csr_array:
    """Return the same weights, of near rows only: nearly all of thousands are 0, and no power is computed for them.
    Those `ignored` [n, m] are 0, too."""
    cosines = place_units(layer, features) @ layer.centers.T  # [n, m]
    near = cosines > nearest_cosine(layer.kappa, layer.end)
    if ignored is not None:
        near &= ~ignored
    rows, columns = np.nonzero(near)
    weights = weights_of(cosines[rows, columns], layer.kappa, layer.end).astype(np.float32)
    return csr_array((weights, (rows, columns)), shape=cosines.shape)


def layer_logits(layer: CorrectionLayer, features: Floats, ignored: Mask | None = None) -> Floats:
    """Return what the layer adds to the logits of features float32 [n, d]: float32 [n, c].

    `ignored` [n, m] is True where an image is to be answered without a row; see `own_rows`.
    """
    return np.asarray(_near_weights(layer, features, ignored) @ layer.coefficients, dtype=np.float32)


def own_rows(layer: CorrectionLayer, image_ids: Sequence[UUID]) -> Mask:
    """Return [n, m], True where a row is the correction of that very image: to evaluate a corrected test image without
    it."""
    own = np.zeros((len(image_ids), len(layer.entries)), dtype=np.bool_)
    rows_of: dict[UUID, list[int]] = {}
    for row, (image_id, _) in enumerate(layer.entries):
        rows_of.setdefault(image_id, []).append(row)
    for position, image_id in enumerate(image_ids):
        own[position, rows_of.get(image_id, [])] = True
    return own


def most_responsible(
    layer: CorrectionLayer, features: Floats, answered: NDArray[np.intp], truths: NDArray[np.intp]
) -> tuple[CorrectionEntry, ...]:
    """Return the corrections that pushed images from their true class to the one answered, strongest push first.

    For images with features [n, d] the model now gets wrong: the push of a row is its kernel weight times how much more
    it adds to the class `answered` [n] than to the class `truths` [n], summed over the images. Rows that push the other
    way, or not at all, are not named; a correction with several rows is named once.
    """
    towards = layer.coefficients[:, answered] - layer.coefficients[:, truths]  # [m, n]
    push = (kernel_weights(layer, features) * towards.T).sum(axis=0)  # [m]
    strongest_first = np.argsort(-push, kind="stable")
    return tuple(dict.fromkeys(layer.entries[row] for row in strongest_first if push[row] > 1e-6))
