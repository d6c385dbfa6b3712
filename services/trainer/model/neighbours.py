"""Which rows of a correction layer are near each other. What is known from the last time is not computed again."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack  # type: ignore[import-untyped]

from services.trainer.model.arrays import Floats, Indices

CHUNK = 512
SPARE = 256
"""So many rows more than twice the asked ones are kept before those that were not asked for are forgotten."""


class Neighbours:
    """The cosines of near rows. Its memory saves time and changes nothing: rows lie on a grid (`layer_space.GRID`), so
    each cosine is exact, and what was asked before changes no bit of an answer. Not for several threads at
    once."""

    def __init__(self) -> None:
        self._forget()

    def find(self, units: Floats, nearest: float) -> csr_array:
        """Return the cosines of rows float32 [n, k] that are at least `nearest` (> 0), as float64 [n, n], symmetric."""
        if (units.shape[1], nearest) != (self._units.shape[1], self._nearest):
            self._forget(units.shape[1], nearest)
        keys = [row.tobytes() for row in units]
        new = {key: at for at, key in reversed(list(enumerate(keys))) if key not in self._index}
        if new:
            self._add(list(new), units[list(new.values())].astype(np.float64))
        asked = np.array([self._index[key] for key in keys], dtype=np.intp)  # [n]
        found = self._cosines[asked][:, asked]
        if len(self._index) > 2 * len(keys) + SPARE:
            self._keep(np.unique(asked))
        return found.T.tocsr()  # equal to itself transposed; this sorts the columns of each row

    def _forget(self, width: int = 0, nearest: float = 1.0) -> None:
        self._nearest = nearest
        self._index: dict[bytes, int] = {}
        self._units: NDArray[np.float64] = np.zeros((0, width))
        self._cosines = csr_array((0, 0), dtype=np.float64)

    def _add(self, keys: list[bytes], units: NDArray[np.float64]) -> None:
        """Add rows [v, k] that are not there yet."""
        before = len(self._units)
        self._units = np.concatenate((self._units, units))
        self._index |= {key: before + at for at, key in enumerate(keys)}
        total = len(self._units)
        parts = []
        for at in range(0, len(units), CHUNK):
            cosines = units[at : at + CHUNK] @ self._units.T  # [b, total]
            rows, columns = np.nonzero(cosines >= self._nearest)
            parts.append(csr_array((cosines[rows, columns], (rows, columns)), shape=cosines.shape))
        added = vstack(parts, format="csr")  # [v, total]
        self._cosines.resize((before, total))
        if before:
            known = self._cosines + _pad(added[:, :before].T.tocsr(), before, total)
            self._cosines = vstack((known, added), format="csr")
        else:
            self._cosines = added

    def _keep(self, kept: Indices) -> None:
        keys = list(self._index)
        self._index = {keys[row]: at for at, row in enumerate(kept)}
        self._units = self._units[kept]
        self._cosines = self._cosines[kept][:, kept]


def _pad(near: csr_array, before: int, total: int) -> csr_array:
    """Return [before, total - before] as the last columns of [before, total]."""
    return csr_array((near.data, near.indices + before, near.indptr), shape=(before, total))
