"""The interval of a counted share."""

import pytest

from shared.contract.intervals import wilson_interval


def test_nothing_counted_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("counted", "of", "expected"),
    [(10, 10, (0.7225, 1.0)), (0, 10, (0.0, 0.2775)), (85, 100, (0.7672, 0.9069))],
)
def test_it_is_the_published_interval(counted: int, of: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(counted, of) == pytest.approx(expected, abs=1e-4)
