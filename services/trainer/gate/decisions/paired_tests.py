"""Two models on the same images: what the answers that differ in rightness say."""

from dataclasses import dataclass
from math import comb
from statistics import NormalDist

from shared.contract.intervals import lowest_difference


@dataclass(frozen=True)
class Pairs:
    """Over `images` test images: `gained` are right with the challenger only, `lost` with the other model only."""

    images: int
    gained: int
    lost: int

    @property
    def difference(self) -> float:
        """Accuracy of the challenger minus that of the other, -1..1."""
        return (self.gained - self.lost) / self.images if self.images else 0.0


def mcnemar_p(pairs: Pairs) -> float:
    """Return the two-sided exact p-value that both models are equally often right (McNemar 1947; the binomial form)."""
    differing = pairs.gained + pairs.lost
    tail = sum(comb(differing, count) for count in range(min(pairs.gained, pairs.lost) + 1))
    return min(1.0, 2 * tail / float(2**differing))


def lower_bound(pairs: Pairs, confidence: float) -> float:
    """Return the one-sided lower confidence bound of the true difference in accuracy, -1..1 (Tango's). A margin of 5
    points needs 21 test images at 85 % and 52 at 95 %, even if no answer differs."""
    return lowest_difference(pairs.gained, pairs.lost, pairs.images, NormalDist().inv_cdf(confidence))
