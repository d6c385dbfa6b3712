"""Intervals of a share that was counted, and of the difference between two shares. Pure."""

from math import sqrt

NORMAL_QUANTILE = 1.959964
"""Of 97.5 %: the interval holds the true share in 95 % of all counts."""


def wilson_interval(counted: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval, 0 to 1, of a share of which `counted` in `of` were seen (Wilson 1927): near 0 and 1 and
    for small counts it is right where the usual one is not. Of nothing it is all of 0 to 1."""
    if of == 0:
        return 0.0, 1.0
    share, z = counted / of, NORMAL_QUANTILE
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference_interval(gained: int, lost: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval, -1 to 1, of what one share is above another of the same `images`, of which `gained`
    count for the first only and `lost` for the second only."""
    return (
        lowest_difference(gained, lost, images, NORMAL_QUANTILE),
        -lowest_difference(lost, gained, images, NORMAL_QUANTILE),
    )


def lowest_difference(gained: int, lost: int, images: int, quantile: float) -> float:
    """Return the one-sided lower confidence bound of the true difference between two shares of the same `images`, -1..1
    (the score interval of Tango 1998, "Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design"). `quantile`: of the normal distribution, for this confidence.

    Unlike Wald's interval it has a width when no image differs: with identical answers on n images it is
    -z^2 / (n + z^2), and -1 without any image.
    """
    if not images:
        return -1.0
    low, high = -1.0, (gained - lost) / images
    for _ in range(50):  # bisection: the score falls as the assumed difference rises
        middle = (low + high) / 2
        low, high = (middle, high) if _score(gained, lost, images, middle) > quantile else (low, middle)
    return low


def _score(gained: int, lost: int, n: int, assumed: float) -> float:
    """Return Tango's statistic for the hypothesis that the true difference is `assumed`, below the one seen."""
    b = (2 * n - gained + lost) * assumed - gained - lost
    c = -lost * assumed * (1 - assumed)
    likeliest_loss = (sqrt(b * b - 8 * n * c) - b) / (4 * n)
    variance = n * (2 * likeliest_loss + assumed * (1 - assumed))
    distance = gained - lost - n * assumed
    return distance / sqrt(variance) if variance > 0 else float("inf")
