"""Each floor of the gate: the last value that passes, the first that does not, and what they are unless set."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from services.trainer.gate.decisions.rules import GateInputs, GateSettings, accuracy, latency, parity, recalls, superior
from services.trainer.model.arrays import Indices

LIMITS = GateSettings()
CALM = GateInputs(
    labels=("dandelion", "grass"),
    truths=np.arange(40) % 2,
    corrections=0,
    broken=(),
    newly_held=1,
    new_images=0,
    absorbed=0,
    milliseconds=1.0,
    difference=0.0,
    disagreements=0,
)


def wrong(truths: Indices, count: int) -> Indices:
    """Return the truths with the first `count` answered wrongly."""
    answers = truths.copy()
    answers[:count] = 1 - answers[:count]
    return answers


def test_the_limits_are_these_unless_an_installation_sets_others() -> None:
    expected: Mapping[str, float] = {
        "lowest_accuracy": 0.7,
        "lowest_recall": 0.5,
        "images_for_recall": 10,
        "margin": 0.05,
        "confidence": 0.85,
        "significance": 0.05,
        "slowest_milliseconds": 50.0,
        "largest_difference": 0.001,
    }
    assert expected.items() <= LIMITS.model_dump().items()


@pytest.mark.parametrize(("mistakes", "outcome"), [(12, "passed"), (13, "failed")])  # 28 of 40 are 70 %
def test_accuracy_passes_down_to_its_limit(mistakes: int, outcome: str) -> None:
    found = accuracy(wrong(CALM.truths, mistakes), CALM, LIMITS)
    assert found.outcome == outcome, found.sentence


@pytest.mark.parametrize(
    ("images", "right", "outcome"), [(10, 5, "passed"), (10, 4, "failed"), (9, 9, "insufficient_evidence")]
)
def test_recall_passes_down_to_its_limit_from_enough_images_on(images: int, right: int, outcome: str) -> None:
    truths = np.zeros(images, dtype=np.intp)
    found = recalls(wrong(truths, images - right), replace(CALM, truths=truths), LIMITS)[0]
    assert found.outcome == outcome, found.sentence


@pytest.mark.parametrize(("milliseconds", "outcome"), [(50.0, "passed"), (50.1, "failed")])
def test_latency_passes_up_to_its_limit(milliseconds: float, outcome: str) -> None:
    found = latency(replace(CALM, milliseconds=milliseconds), LIMITS)
    assert found.outcome == outcome, found.sentence


@pytest.mark.parametrize(
    ("difference", "disagreements", "outcome"),
    [(0.001, 0, "passed"), (0.0011, 0, "failed"), (0.0, 1, "failed")],
)
def test_parity_passes_up_to_its_limit_without_another_label(
    difference: float, disagreements: int, outcome: str
) -> None:
    found = parity(replace(CALM, difference=difference, disagreements=disagreements), LIMITS)
    assert found.outcome == outcome, found.sentence


@pytest.mark.parametrize(("gained", "outcome"), [(6, "passed"), (5, "insufficient_evidence")])
def test_superior_needs_a_gain_that_luck_gives_in_fewer_than_one_of_twenty(gained: int, outcome: str) -> None:
    found = superior(CALM.truths, wrong(CALM.truths, gained), CALM.truths, LIMITS)
    assert found.outcome == outcome, found.sentence
