"""The interval of a share that was counted. Pure."""

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
