"""The head: logits of standardised features. How it is fitted: `services.trainer.training.logistic_regression`."""

from dataclasses import dataclass

import numpy as np

from services.trainer.model.arrays import Floats


@dataclass(frozen=True)
class Head:
    """logits = (features - mean) / scale @ weights + bias, in the order of `labels`.

    float32: mean [d], scale [d] (> 0), weights [d, c], bias [c].
    """

    labels: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """Return float32 [n, c] of float32 [n, d]."""
        return np.asarray((features - self.mean) / self.scale @ self.weights + self.bias, dtype=np.float32)


def probabilities(logits: Floats) -> Floats:
    """Return float32 [n, c] that sum to 1, of logits [n, c]."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
