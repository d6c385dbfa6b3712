"""Sixteen numbers that represent the features of an image: in prediction.logged, and in the reference of a model. Pure.

A random projection keeps distances between feature vectors (Johnson & Lindenstrauss 1984) for any backbone, and is
the same in every process: its matrix comes from a fixed seed.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NUMBERS = 16
_SEED = 20_250_101


@lru_cache(maxsize=8)
def _matrix(dimensions: int) -> NDArray[np.float32]:
    """Return float32 [dimensions, 16], entries N(0, 1/16): squared lengths are kept in expectation."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    matrix: NDArray[np.float64] = random.standard_normal((dimensions, NUMBERS)) / np.sqrt(NUMBERS)
    return matrix.astype(np.float32)


def project_features(features: NDArray[np.float32]) -> tuple[float, ...]:
    """Return 16 numbers, rounded to six digits, for `features` float32 [d] of any scale."""
    projected: list[float] = (features @ _matrix(len(features))).tolist()  # [16]
    return tuple([round(number, 6) for number in projected])
