"""Kinds of arrays that the trainer's numbers come in."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Images = NDArray[np.uint8]
"""uint8 [n, 96, 96, 3], RGB: what `shared.imaging.preprocessing.prepare` makes."""
Vector = NDArray[np.float32]
"""Features of one image, float32 [d]."""
Vectors = Mapping[str, Vector]
"""Features float32 [d] by sha256, under one backbone."""


def stack_features(vectors: Sequence[Vector], width: int) -> Floats:
    """Return float32 [n, d] of n vectors [d]; d is `width` if there are none."""
    return np.stack(vectors) if vectors else np.zeros((0, width), dtype=np.float32)
