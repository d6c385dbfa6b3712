"""Which corrections need a row in the layer, and the coefficients of these rows.

Wanted is the smoothest residual that puts each corrected image ahead by the margin, at least: a support vector machine
without slack (Cortes and Vapnik 1995, "Support-Vector Networks") on top of the head. A row that its neighbours push
further than it needs has no coefficient, instead of one that pulls it back. With all of some hundred similar pictures
held at the margin exactly, the layer swings between them, and other pictures of the kind are answered wrong.

Each class is a problem of its own. For each image there is a level, `_levels`: its class has to be above it by the
margin, and each other class not above it. The rows are found by block principal pivoting (Portugal, Judice and Vicente
1994; Kim and Park 2011, "Fast Nonnegative Matrix Factorization"): all that pull the wrong way leave, all that are
missed join, and the equations are solved again, until neither happens. There is one solution, by any way to it.
"""

from collections.abc import Sequence
from typing import TypeAlias
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, LinAlgWarning, solve  # type: ignore[import-untyped]
from scipy.sparse import csr_array, diags_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import ArpackError, cg, eigsh  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats, Indices

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]
Kernel: TypeAlias = "csr_array | Doubles"

TOLERANCE = 1e-7
"""The equations hold up to this part of their right side."""
SLACK = 1e-4
"""In logits: what misses by so little is not missed, and so small a coefficient does not pull the wrong way."""
FEW_STEPS, MOST_STEPS = 500, 2_000
"""So many steps of conjugate gradients are made where the direct solution is a way out, and where it is none."""
MOST_DIRECT = 4_000
"""Rows: 4,000 take two seconds and 260 MB."""
LARGEST = 1_000.0
"""Of a coefficient: with larger ones 32-bit floats do not tell the answers apart."""
DENSE = 0.05
"""From this share of near pairs on the direct solution is the quicker one."""
STRONGER_RIDGES = (1, 3, 10, 30, 100)
"""A kernel with an end has directions of negative variance where many rows lie close together, such as 1,000 drawings
under a backbone of photographs: then no rows are found, and the ridge is this many times as high."""
GRACES = 3
"""So often in a row the number of rows that have to join or leave may fail to fall to a new low."""
LOOSE = 0.9
"""An image that misses by this part of the margin because of a stronger ridge is held with less of it."""
WEAKER, MOST_LOOSENED = 10.0, 2
"""So many times less, so often."""
MOST_TRIED = 300
"""With more dense rows than this, the ridge is computed: each one that is tried in vain takes tenths of a second."""
OF_LEAST_VARIANCE = (0.5, 1.1)
"""The ridges then, as parts of the most negative variance: half often is enough, since not all images have a row."""


def find_rows(
    kernel: csr_array, base_logits: Floats, targets: Indices, usable: Mask, *, margin: float, ridge: float
) -> tuple[Indices, Doubles]:
    """Return the rows [m] that are needed, ascending, and their coefficients [m, c].

    kernel [n, n] are the weights of the corrected images on each other, base_logits [n, c] what they are answered
    without a layer, targets [n] the classes that they shall have. Those not `usable` [n] get no row.
    """
    if len(targets) <= MOST_DIRECT and kernel.nnz >= DENSE * len(targets) ** 2:
        kernel = kernel.toarray()
    base = base_logits.astype(np.float64)
    levels = _levels(base, targets, margin)  # [n]
    coefficients: Doubles = np.zeros(base.shape)
    for column in range(base.shape[1]):
        own = targets == column
        least = np.where(own, levels + margin, -levels) - np.where(own, 1, -1) * base[:, column]
        signs = np.where(own, 1.0, -1.0)
        coefficients[:, column] = _Class(kernel, signs, least, usable, LOOSE * margin).solve(ridge)
    rows = np.flatnonzero(coefficients.any(axis=1))
    return rows, coefficients[rows]


def _levels(base: Doubles, targets: Indices, margin: float) -> Doubles:
    """Return [n] what each image's class has to be above by the margin, and no other class may be above: its best other
    logit, or if it is right by more than the margin, half of what is over above that."""
    others = base.copy()
    others[np.arange(len(targets)), targets] = -np.inf
    return np.asarray(others.max(axis=1) + np.maximum(margins(base, targets) - margin, 0) / 2)


class _Class:
    """Coefficients [n] of one class, so that signs [n] * (kernel [n, n] @ coefficients) is `least` [n] or more."""

    def __init__(self, kernel: Kernel, signs: Doubles, least: Doubles, usable: Mask, loose: float) -> None:
        self._kernel, self._signs, self._least, self._usable = kernel, signs, least, usable
        self._loose_from = loose
        self._chosen: Mask = usable & (least > SLACK)
        self._coefficients: Doubles = np.zeros(len(least))  # 0 without a row

    def solve(self, ridge: float) -> Doubles:
        """Return the coefficients. Where the ridge has to be stronger, images that it leaves wrong are held with less
        of it, as far as that goes."""
        for strong in self._ridges(ridge):
            ridges = np.full(len(self._least), strong)
            if self._settle(ridges):
                break
        else:
            return self._hold_all(ridges)
        loose = self._loose(ridges, ridge)
        for _ in range(MOST_LOOSENED):
            if not loose.any():
                break
            found, before = self._coefficients.copy(), int(loose.sum())
            ridges[loose] = np.maximum(ridges[loose] / WEAKER, ridge)
            if not self._settle(ridges) or (loose := self._loose(ridges, ridge)).sum() >= before:
                return found
        return self._coefficients

    def _ridges(self, ridge: float) -> Sequence[float]:
        """Return what is tried, the weakest first."""
        if isinstance(self._kernel, csr_array) or self._chosen.sum() <= MOST_TRIED:
            return [ridge * times for times in STRONGER_RIDGES]
        start = np.ones(len(self._least))  # not drawn: the same images give the same ridge
        try:
            least = float(eigsh(self._kernel, 1, which="SA", tol=0.05, v0=start, return_eigenvectors=False)[0])
        except ArpackError:
            return [ridge * times for times in STRONGER_RIDGES]
        return [max(ridge, -times * least) for times in OF_LEAST_VARIANCE]

    def _loose(self, ridges: Doubles, least: float) -> Mask:
        """Return which images [n] are missed by much, and could be held with less of a ridge."""
        return np.asarray(self._usable & (self._missed() > self._loose_from) & (ridges > least))

    def _settle(self, ridges: Doubles) -> bool:
        """Exchange rows, each with its ridge [n], until none has to join or leave. Return whether that came to an
        end."""
        fewest, graces = len(self._least) + 1, GRACES
        while True:
            self._solve(ridges)
            pulls_away = self._signs * self._coefficients < -SLACK
            moving = np.where(self._chosen, pulls_away, self._usable & (self._missed() > SLACK))
            moved = int(moving.sum())
            if not moved:
                return bool(np.abs(self._coefficients).max(initial=0.0) <= LARGEST)
            fewest, graces = (moved, GRACES) if moved < fewest else (fewest, graces - 1)
            if graces < 0:
                return False
            self._chosen = self._chosen ^ moving

    def _hold_all(self, ridges: Doubles) -> Doubles:
        """Hold each image that is missed, until none is; rows that pull the wrong way stay. The way out where rows
        would be exchanged in circles."""
        self._chosen = self._usable & (self._least > SLACK)
        while True:
            self._solve(ridges)
            joins = self._usable & ~self._chosen & (self._missed() > SLACK)
            if not joins.any():
                return self._coefficients
            self._chosen = self._chosen | joins

    def _solve(self, ridges: Doubles) -> None:
        rows = np.flatnonzero(self._chosen)
        self._coefficients[~self._chosen] = 0
        if len(rows):
            near, wanted = self._kernel[rows][:, rows], (self._signs * self._least)[rows]
            self._coefficients[rows] = _solve(near, wanted, ridges[rows], self._coefficients[rows])

    def _missed(self) -> Doubles:
        """Return [n] by how much each image is short of `least`."""
        rows = np.flatnonzero(self._chosen)
        return np.asarray(self._least - self._signs * (self._kernel[rows].T @ self._coefficients[rows]))


def margins(logits: Floats | Doubles, targets: Indices) -> Doubles:
    """Return by how much the target class [n] is ahead of the best other one in logits [n, c]; negative where
    behind."""
    rows = np.arange(len(targets))
    others = logits.astype(np.float64)
    others[rows, targets] = -np.inf
    return np.asarray(logits[rows, targets] - others.max(axis=1), dtype=np.float64)


def _solve(kernel: Kernel, wanted: Doubles, ridges: Doubles, start: Doubles) -> Doubles:
    """Return x [m] with (kernel [m, m] + ridges [m]) x = wanted [m].

    Sparse equations are solved by conjugate gradients from `start` [m]. Corrections of many pictures that resemble each
    other give dense ones, for which that takes thousands of steps: these are solved directly, and so is what does not
    converge soon. What has no solution is left as near to one as the steps lead: the gate sees which corrections do not
    hold."""
    if isinstance(kernel, csr_array):
        few = len(wanted) <= MOST_DIRECT
        solved, converged = _solve_in_steps(kernel, wanted, ridges, start, FEW_STEPS if few else MOST_STEPS)
        if converged or not few:
            return solved
        kernel = kernel.toarray()
    found = _solve_directly(kernel, wanted, ridges)
    return _solve_in_steps(csr_array(kernel), wanted, ridges, start, MOST_STEPS)[0] if found is None else found


def _solve_in_steps(
    kernel: csr_array, wanted: Doubles, ridges: Doubles, start: Doubles, most: int
) -> tuple[Doubles, bool]:
    """Return where conjugate gradients lead in at most so many steps, and whether they converge."""
    system = (kernel + diags_array(ridges)).tocsr()
    solved, stopped = cg(system, wanted, start, rtol=TOLERANCE, maxiter=most)
    return np.asarray(solved), not stopped


def _solve_directly(kernel: Doubles, wanted: Doubles, ridges: Doubles) -> Doubles | None:
    """Return the solution by elimination, which also takes directions of negative variance; None if one of them cancels
    the ridge."""
    system = kernel + np.diag(ridges)
    with catch_warnings():
        simplefilter("ignore", LinAlgWarning)  # what it warns of shows in the size of the numbers
        for kind in ("pos", "sym"):  # Cholesky takes a fifth of the time, where it can
            try:
                return np.asarray(solve(system, wanted, assume_a=kind, check_finite=False))
            except LinAlgError:
                continue
    return None
