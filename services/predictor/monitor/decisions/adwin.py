"""ADWIN, adaptive windowing (Bifet and Gavalda 2007), on numbers from 0 to 1. Pure.

The window is cut wherever its older and its newer part have means that differ by more than chance allows. All cuts of a
window of at most some hundred outcomes are tried, so none of the paper's compressed buckets are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.002
"""How likely a cut is, in a window whose mean does not change: the paper's delta."""
SMALLEST_PART = 10
"""No part of a window is smaller."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The newer part of the window begins at `index`. before, after: the means of the parts. allowed: how much they may
    differ by chance."""

    index: int
    before: float
    after: float
    allowed: float


def find_cut(numbers: Sequence[float]) -> Cut | None:
    """Return where the mean of the numbers, oldest first, changes most; None if it does not change."""
    count = len(numbers)
    if count < 2 * SMALLEST_PART:
        return None
    values = np.asarray(numbers, np.float64)
    older = np.arange(SMALLEST_PART, count - SMALLEST_PART + 1)  # [cuts]: the size of the older part
    sums = np.cumsum(values)
    before, after = sums[older - 1] / older, (sums[-1] - sums[older - 1]) / (count - older)
    size = 1 / (1 / older + 1 / (count - older))  # the paper's m
    trials = np.log(2 * np.log(count) / CONFIDENCE)
    allowed = np.sqrt(2 / size * values.var() * trials) + 2 / (3 * size) * trials
    best = int(np.argmax(np.abs(before - after) - allowed))
    if abs(before[best] - after[best]) <= allowed[best]:
        return None
    return Cut(int(older[best]), float(before[best]), float(after[best]), float(allowed[best]))
