"""What head and correction layer answer, in numpy: the other side of the fast lane's parity check. Pure."""

from dataclasses import dataclass

import numpy as np

from services.trainer.model.arrays import Floats
from services.trainer.model.correction_layer import CorrectionLayer, layer_logits
from services.trainer.model.head import Head, probabilities
from services.trainer.model.layer_rows import Mask

A_BLOCK = 8_192
"""Images that are answered at once: 33 MB of a thousand features."""


def predict_probabilities(head: Head, layer: CorrectionLayer, features: Floats, ignored: Mask | None = None) -> Floats:
    """Return probabilities float32 [n, c] for features float32 [n, d]; `ignored` [n, m] as in
    `correction_layer.layer_logits`."""
    found = np.empty((len(features), len(head.labels)), np.float32)
    for at in range(0, len(features), A_BLOCK):
        block = slice(at, at + A_BLOCK)
        added = layer_logits(layer, features[block], None if ignored is None else ignored[block])
        found[block] = probabilities(head.logits(features[block]) + added)
    return found


@dataclass(frozen=True)
class Agreement:
    """Two runtimes on the same images: the largest absolute difference of a probability (0..1), and on how many images
    they answer with different labels."""

    difference: float
    disagreements: int


def compare_runtimes(left: Floats, right: Floats) -> Agreement:
    """Compare probabilities [n, c]; on no images at all two runtimes agree."""
    disagreements = int((left.argmax(axis=1) != right.argmax(axis=1)).sum())
    return Agreement(float(np.abs(left - right).max(initial=0.0)), disagreements)
