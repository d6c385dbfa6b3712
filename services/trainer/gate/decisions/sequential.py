"""Shares that are counted: an exact bound, an exact test, and a test that may be asked after every count. Pure."""

from math import exp, lgamma, log

ALTERNATIVES = 50


def tail(count: int, of: int, share: float) -> float:
    """Return the probability of `count` or more in `of` if each comes with probability `share` (binomial)."""
    return min(1.0, sum(_probability(each, of, share) for each in range(count, of + 1)))


def upper_bound(count: int, of: int, error: float) -> float:
    """Return the one-sided upper bound of a share of which `count` in `of` were seen; it is too low with probability
    `error` at most (Clopper and Pearson 1934). Of nothing it is 1."""
    if count >= of:
        return 1.0
    low, high = count / of, 1.0
    for _ in range(40):  # bisection: so few become less probable as the share rises
        middle = (low + high) / 2
        so_few = 1.0 - tail(count + 1, of, middle)
        low, high = (middle, high) if so_few > error else (low, middle)
    return high


def evidence_above(count: int, of: int, share: float) -> float:
    """Return the evidence that the true share is above `share`: how many times likelier the counts are, on average over
    larger shares, than under `share` itself.

    If the true share is `share` or smaller, this is 1 / e or more at any time, however often one looks, with
    probability e at most (Ville 1939; Grünwald, de Heide, Koolen 2024, "Safe testing").
    """
    if not 0 < share < 1 or not of:
        return 1.0
    larger = [share + (1 - share) * (step + 0.5) / ALTERNATIVES for step in range(ALTERNATIVES)]
    logs = [count * log(one / share) + (of - count) * log((1 - one) / (1 - share)) for one in larger]
    return sum(exp(min(700.0, each)) for each in logs) / ALTERNATIVES


def _probability(count: int, of: int, share: float) -> float:
    if share in (0.0, 1.0):
        return float(count == (of if share else 0))
    ways = lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1)
    return exp(ways + count * log(share) + (of - count) * log(1 - share))
