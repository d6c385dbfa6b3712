"""A small reference and answers for the tests of the monitor."""

from functools import cache

import numpy as np

from services.predictor.monitor.decisions.pictures import Reference
from shared.contract.replicas import PredictionLogged
from shared.drift.reference import make_reference
from shared.testing import prediction_logged

LABELS = ("dandelion", "grass")


@cache
def reference(seed: int = 1) -> Reference:
    """Return the reference of sketches that are standard normal, labels half and half, confidences near 0.9."""
    random = np.random.default_rng(seed)
    made = make_reference(
        random.standard_normal((300, 16)), random.integers(0, 2, 100).tolist(), random.normal(0.9, 0.03, 100), 2
    )
    assert made is not None
    return Reference(made, LABELS)


def answers(
    count: int, *, shift: float = 0.0, seed: int = 2, version: str = "full-1", of: Reference | None = None
) -> list[PredictionLogged]:
    """Return answers to the API about different pictures; `shift` moves each of the sixteen numbers."""
    random, drift = np.random.default_rng(seed), (of or reference()).drift
    made = []
    for _ in range(count):
        label = LABELS[int(random.integers(2))]
        confidence = float(np.clip(random.normal(0.9, 0.03), 0.5, 1))
        sketch = random.standard_normal(16) + shift
        made.append(
            prediction_logged(
                model_version=version,
                label=label,
                probabilities={label: confidence, LABELS[1 - LABELS.index(label)]: 1 - confidence},
                projection=tuple(sketch.tolist()),
                drift_reference=drift.id,
            )
        )
    return made
