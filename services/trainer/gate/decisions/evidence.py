"""What a verdict rests on: images gained and lost, the confusion matrix, figures for each class. Pure."""

import numpy as np

from services.trainer.gate.decisions.comparison import LockedTests
from services.trainer.model.arrays import Indices
from shared.contract.events import ClassFigures, VerdictEvidence
from shared.contract.intervals import wilson_interval

MOST_NAMED = 100
"""Images named in an event, of those gained and of those lost; there may be more."""


def make_evidence(tests: LockedTests, challenger: Indices, champion: Indices | None) -> VerdictEvidence:
    """Return the evidence of answers [n], indices into `tests.labels`; `champion` None: nothing to compare with."""
    truths, labels = tests.truths, tests.labels
    right = challenger == truths
    before = right if champion is None else champion == truths
    gained, lost = np.flatnonzero(right & ~before).tolist(), np.flatnonzero(~right & before).tolist()
    confusion = np.zeros((len(labels), len(labels)), dtype=np.intp)  # [truth, answer]
    known = challenger >= 0
    np.add.at(confusion, (truths[known], challenger[known]), 1)
    return VerdictEvidence(
        gained=len(gained),
        lost=len(lost),
        gained_images=tuple(tests.samples[position].image_id for position in gained[:MOST_NAMED]),
        lost_images=tuple(tests.samples[position].image_id for position in lost[:MOST_NAMED]),
        classes=tuple(
            _figures(label, int((truths == index).sum()), int(confusion[index, index]))
            for index, label in enumerate(labels)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def _figures(label: str, images: int, right: int) -> ClassFigures:
    low, high = wilson_interval(right, images)
    return ClassFigures(
        label=label, images=images, right=right, recall=right / images if images else 0.0, low=low, high=high
    )
