"""Where corrected images lie, and what the head answers about them. What is known is not computed again."""

from collections.abc import Mapping, Sequence

import numpy as np

from services.trainer.model.arrays import Floats, Vector
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.correction_layer import CorrectionLayer, place_units
from services.trainer.model.head import Head
from services.trainer.model.layer_space import snap_to_grid

Key = tuple[int, str]
"""Which view of an image (0: the image itself), and its sha256."""


class PlacedImages:
    """Images under one head and space. Each is computed by itself: so its numbers are the same bits, whichever others
    are asked with it, and after any history. Only what was asked last is kept. Not for several threads at once."""

    def __init__(self, head: Head, layer: CorrectionLayer) -> None:
        self._head, self._layer = head, layer
        self._index: dict[Key, int] = {}
        self._logits: Floats = np.zeros((0, len(head.labels)), np.float32)
        self._units: Floats = np.zeros((0, layer.centers.shape[1]), np.float32)

    def find(self, keys: Sequence[Key], views: Sequence[Mapping[str, Vector]]) -> tuple[Floats, Floats]:
        """Return the head's logits float32 [n, c] and the places [n, k], of unit length and on the grid of a layer, of
        these views. The features of what is asked for the first time are among `views`, by sha256."""
        new = [key for key in dict.fromkeys(keys) if key not in self._index]
        if new:
            with one_blas_thread():
                found = [self._compute(views[view][digest]) for view, digest in new]
            self._index |= {key: len(self._index) + at for at, key in enumerate(new)}
            self._logits = np.concatenate((self._logits, *(logits for logits, _ in found)))
            self._units = np.concatenate((self._units, *(units for _, units in found)))
        asked = np.array([self._index[key] for key in keys], dtype=np.intp)  # [n]
        logits, units = self._logits[asked], self._units[asked]
        if len(keys) < len(self._index):
            kept = {key: at for at, key in enumerate(dict.fromkeys(keys))}
            rows = [self._index[key] for key in kept]
            self._index, self._logits, self._units = kept, self._logits[rows], self._units[rows]
        return logits, units

    def _compute(self, vector: Vector) -> tuple[Floats, Floats]:
        features = vector[None]  # [1, d]
        return self._head.logits(features), snap_to_grid(place_units(self._layer, features))
