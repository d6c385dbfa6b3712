"""Sixteen numbers for any backbone."""

import numpy as np
import pytest

from shared.drift.sketch import NUMBERS, project_features


def test_the_same_features_give_the_same_numbers_in_every_process() -> None:
    projected = project_features(np.ones(1000, np.float32))
    assert len(projected) == NUMBERS
    assert projected[:3] == pytest.approx(FIRST_NUMBERS_OF_ONES, abs=1e-4)


def test_distances_are_kept_within_the_accuracy_of_sixteen_numbers() -> None:
    random = np.random.default_rng(1)
    ratios = []
    for _ in range(200):
        a, b = random.standard_normal((2, 500)).astype(np.float32)
        projected = np.subtract(project_features(a), project_features(b))
        ratios.append(np.sum(projected**2) / np.sum((a - b) ** 2))
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


FIRST_NUMBERS_OF_ONES = (5.113406, 4.344142, 3.900081)
"""A change here is a change of every projection on the log: the drift monitor's references would no longer compare."""
