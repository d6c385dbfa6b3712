"""The correction layer: what makes the corrected images right, and changes answers only near them.

A Gaussian-process residual on the sphere (Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", ch.
2.7) with the kernel exp(kappa (cosine - 1)) between places in a `LayerSpace`; in model editing a key-value memory
(GRACE, Hartvigsen et al. 2023, arXiv 2211.11031). An answer is `logits(f) + weights(f) @ coefficients`, where a weight
is the kernel less its value at the end of the layer, not below 0, scaled to 1 for the same image: further away a
correction changes nothing at all. So the equations of a fit are sparse, unless corrected images resemble each other,
and are solved by conjugate gradients in time linear in the near pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from uuid import UUID
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, LinAlgWarning, solve  # type: ignore[import-untyped]
from scipy.sparse import csr_array, eye_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import cg  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.layer_space import LayerSpace, snap_to_grid, unit_length
from services.trainer.model.neighbours import Neighbours
from shared.contract.artefact import CorrectionEntry

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]

RAW_KAPPA = 40.0
"""Without a space (artefacts of format 1; too few images for one) cosines are those of the features. Rectified features
point into one corner: the median cosine to the mirrored image is 0.96, to the nearest other one 0.93."""
RIDGE = 0.01
MARGIN = 2.5
"""In logits. With 1.5 a fifth less of the resized copies follow; more changes more of other answers."""
NEGLIGIBLE = 1e-6
"""Without an end the equations leave out pairs with a smaller weight."""
TOLERANCE = 1e-7
"""The equations hold up to this part of their right side."""
MOST_STEPS = 2_000
FEW_STEPS = 500
"""So many steps are made where the direct solution is a way out."""
FEWEST_DIRECT, MOST_DIRECT = 500, 4_000
"""Rows: with fewer, steps are quick however many they are; 4,000 take two seconds and 260 MB."""
LARGEST = 1_000.0
"""Of a coefficient: with larger ones 32-bit floats do not tell the answers apart."""
DENSE = 0.05
"""From this share of near pairs on the direct solution is the quicker one."""
STRONGER_RIDGES = (1, 10, 100)
"""A kernel with an end can have directions of negative variance, though none was ever seen with photographs: then the
ridge is this many times as high."""


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
    logits).

    base_logits [n, c] are what the head answers for features float32 [n, d] without any layer. A correction the head
    gets right by `margin` is left out, unless the others would push it below: then it is held where the head has it.
    An image whose place is zero has no direction, and is left out. `entries` name the corrections, in the order of the
    rows. `neighbours` remembers what earlier fits computed; the result is the same bit for bit without it.
    """
    none = empty_layer(features.shape[1], base_logits.shape[1], space, kappa, end)
    if not len(features):
        return none
    shortfall = margin - margins(base_logits, targets)  # [n]; > 0 where the head is wrong, or right by too little
    wanted = np.zeros(base_logits.shape)
    wanted[np.arange(len(targets)), targets] = np.maximum(shortfall, 0)  # [n, c], to be added to the logits
    nearest = 1 + log(end or NEGLIGIBLE) / kappa
    with one_blas_thread():
        units = snap_to_grid(place_units(none, features))  # [n, k]
        usable = units.any(axis=1)
        chosen = usable & (shortfall > 0)
        kernel = (neighbours or Neighbours()).find(units, max(nearest, 1e-3))  # [n, n]
        kernel.data = weights_of(kernel.data, kappa, end)
        while True:
            rows = np.flatnonzero(chosen)
            near = kernel[rows]  # [m, n]
            coefficients = _solve(near[:, rows], wanted[rows], ridge)  # [m, c]
            answered = base_logits + near.T @ coefficients
            pushed_below = usable & ~chosen & (margins(answered, targets) < margin)
            if not pushed_below.any():
                break
            chosen |= pushed_below
    kept = tuple(entry for entry, held in zip(entries, chosen, strict=True) if held)
    return CorrectionLayer(units[rows], coefficients.astype(np.float32), kept, kappa, space, end)


def _solve(kernel: csr_array, wanted: Doubles, ridge: float) -> Doubles:
    """Return x [m, c] with (kernel [m, m] + ridge) x = wanted [m, c].

    Sparse equations are solved by conjugate gradients from zero. Corrections of many pictures that resemble each other
    give dense ones, for which that takes thousands of steps: these are solved directly, and so is what does not
    converge soon. What has no solution is left as near to one as the steps lead: the gate sees which corrections do not
    hold."""
    rows, few = len(wanted), len(wanted) <= MOST_DIRECT
    dense = few and rows >= FEWEST_DIRECT and kernel.nnz >= DENSE * rows * rows
    solved: Doubles = np.zeros(wanted.shape)
    for times in STRONGER_RIDGES:
        converged = False
        if not dense:
            solved, converged = _solve_in_steps(kernel, wanted, ridge * times, FEW_STEPS if few else MOST_STEPS)
        if converged:
            break
        if few and (found := _solve_directly(kernel, wanted, ridge * times)) is not None:
            return found
    return _solve_in_steps(kernel, wanted, ridge * STRONGER_RIDGES[-1], MOST_STEPS)[0] if dense else solved


def _solve_in_steps(kernel: csr_array, wanted: Doubles, ridge: float, most: int) -> tuple[Doubles, bool]:
    """Return where conjugate gradients lead in at most so many steps, and whether they converge."""
    system = (kernel + ridge * eye_array(len(wanted), format="csr")).tocsr()
    solved, converged = np.zeros(wanted.shape), True
    for column in np.flatnonzero(wanted.any(axis=0)):
        solved[:, column], stopped = cg(system, wanted[:, column], rtol=TOLERANCE, maxiter=most)
        converged = converged and not stopped
    return solved, converged


def _solve_directly(kernel: csr_array, wanted: Doubles, ridge: float) -> Doubles | None:
    """Return the solution by symmetric elimination, which also takes directions of negative variance; None if one of
    them nearly cancels the ridge, so that the numbers would be beyond any use."""
    system = kernel.toarray()
    system[np.diag_indices(len(system))] += ridge
    with catch_warnings():
        simplefilter("ignore", LinAlgWarning)  # what it warns of shows in the size of the numbers
        try:
            solved = np.asarray(solve(system, wanted, assume_a="sym", overwrite_a=True))
        except LinAlgError:
            return None
    return solved if np.abs(solved).max(initial=0.0) <= LARGEST else None


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


def margins(logits: Floats | NDArray[np.float64], targets: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return by how much the target class [n] is ahead of the best other one in logits [n, c]; negative where
    behind."""
    rows = np.arange(len(targets))
    others = logits.astype(np.float64)
    others[rows, targets] = -np.inf
    return np.asarray(logits[rows, targets] - others.max(axis=1), dtype=np.float64)
