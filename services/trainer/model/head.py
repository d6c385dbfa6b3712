"""The head: logits of standardised features. How it is fitted: `services.trainer.training.logistic_regression`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from services.trainer.model.arrays import Floats

LEAST_PROBABILITY = 1e-30
"""Below it, the logarithm of a mean of probabilities is cut off."""
UNLEARNED_GAP = 5.0
"""In logits. So little that a correction reaches about as far as one between two learned classes, and enough that each
of two equally likely classes is still 150 times as likely as one that was not learned."""


@dataclass(frozen=True)
class Head:
    """One logistic regression, or several whose probabilities are averaged: its parts.

    Each part answers (features - mean) / scale @ weights + bias, in the order of `labels`. With one part these are the
    logits; with several the logits are the logarithm of the mean of the parts' probabilities, divided by `temperature`.

    float32: mean [d], scale [d] (> 0), weights [d, p * c], bias [p * c] with the columns of one part after those of the
    other. A part that stands on some of the features has zeros for the rest.
    """

    labels: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats
    temperature: float = field(default=1.0, kw_only=True)

    @property
    def parts(self) -> int:
        """How many parts there are, at least 1."""
        return max(self.bias.size // len(self.labels), 1)

    def logits(self, features: Floats) -> Floats:
        """Return float32 [n, c] of float32 [n, d]."""
        answers = np.asarray((features - self.mean) / self.scale @ self.weights + self.bias, dtype=np.float32)
        if self.parts == 1:
            return answers
        of_parts = probabilities(answers.reshape(len(features), self.parts, len(self.labels)))  # [n, p, c]
        mean = np.maximum(of_parts.mean(axis=1, dtype=np.float32), np.float32(LEAST_PROBABILITY))
        return np.asarray(np.log(mean) / np.float32(self.temperature), dtype=np.float32)

    def cooled(self, temperature: float) -> "Head":
        """Return the head whose logits are these divided by `temperature` > 0. With one part that is a change of
        weights and bias alone."""
        if self.parts > 1:
            return replace(self, temperature=float(np.float32(self.temperature * temperature)))
        weights, bias = (np.asarray(part / temperature, dtype=np.float32) for part in (self.weights, self.bias))
        return replace(self, weights=weights, bias=bias)

    def with_unlearned(self, labels: Sequence[str]) -> "Head":
        """Return the head with these labels after its own, which it has not learned.

        Each is answered UNLEARNED_GAP below the mean of the other logits (of each part), so never by the head alone:
        its probability is at most e^-gap of that of the answer. A correction layer can lift it above the others."""
        if not labels:
            return self
        shape, more = (len(self.mean), self.parts, len(self.labels)), len(labels)
        weights, bias = self.weights.reshape(shape), self.bias.reshape(shape[1:])  # [d, p, c], [p, c]
        low = bias.mean(axis=-1, keepdims=True) - np.float32(UNLEARNED_GAP * self.temperature)
        wider = np.concatenate((weights, weights.mean(axis=-1, keepdims=True).repeat(more, axis=-1)), axis=-1)
        longer = np.concatenate((bias, low.repeat(more, axis=-1)), axis=-1)
        columns = shape[1] * (shape[2] + more)
        return replace(
            self,
            labels=(*self.labels, *labels),
            weights=np.ascontiguousarray(wider.reshape(shape[0], columns), dtype=np.float32),
            bias=np.ascontiguousarray(longer.reshape(columns), dtype=np.float32),
        )


def probabilities(logits: Floats) -> Floats:
    """Return float32 [..., c] that sum to 1, of logits [..., c]."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)
