"""MEWMA, the multivariate exponentially weighted moving average (Lowry, Woodall, Champ and Rigdon 1992). Pure.

A vector x is whitened, z = L'(x - mean), and averaged, e = (1 - LAMBDA) e + LAMBDA z. Without drift e stays near zero;
the statistic abs(e)^2 (2 - LAMBDA) / LAMBDA is then about the number of dimensions. With LAMBDA 0.03 it sees small
shifts of the mean that last for some dozen answers. A single odd picture counts at most as one at LONGEST.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.contract.artefact import StatisticReference

LAMBDA = 0.03
"""The weight of the newest answer. 0.03 remembers the last 33 answers or so."""

LONGEST = 3.0
"""A whitened vector of k numbers is shortened to this many times the square root of k, its usual length."""

Floats = NDArray[np.float64]


def advance(average: Floats, vector: Floats, reference: StatisticReference) -> Floats:
    """Return the average, float64 [k], after one more vector, float64 [k]; before the first it is zero."""
    return (1 - LAMBDA) * average + LAMBDA * whiten(vector, reference)


def whiten(vectors: Floats, reference: StatisticReference) -> Floats:
    """Return vectors [..., k] with mean 0 and variance 1 where the reference has its own, none longer than LONGEST."""
    mean, whitening = _arrays(reference)
    return shorten((vectors - mean) @ whitening)


def shorten(whitened: Floats) -> Floats:
    """Return whitened vectors [..., k], those that are longer than LONGEST shortened to it."""
    longest = LONGEST * np.sqrt(whitened.shape[-1])
    lengths = np.linalg.norm(whitened, axis=-1, keepdims=True)
    return np.asarray(whitened * np.minimum(1.0, longest / np.maximum(lengths, longest)))


def statistic(average: Floats) -> Floats:
    """Return the statistic of averages float64 [..., k], one number for each: 0 or more."""
    return np.asarray(np.square(average).sum(axis=-1) * (2 - LAMBDA) / LAMBDA)


@lru_cache(maxsize=16)
def _arrays(reference: StatisticReference) -> tuple[Floats, Floats]:
    """Return mean [k] and whitening [k, k]."""
    return np.asarray(reference.mean), np.asarray(reference.whitening)
