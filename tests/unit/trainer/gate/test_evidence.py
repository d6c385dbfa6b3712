"""What a verdict rests on."""

from uuid import UUID

import numpy as np
import pytest

from services.trainer.dataset.manifest import Sample
from services.trainer.gate.decisions.comparison import LockedTests
from services.trainer.gate.decisions.evidence import MOST_NAMED, make_evidence

LABELS = ("dandelion", "grass")


def locked(*truths: int) -> LockedTests:
    samples = tuple(
        Sample(UUID(int=number), f"{number:064x}", LABELS[truth], 0, "test") for number, truth in enumerate(truths)
    )
    return LockedTests(samples, LABELS, np.array(truths, dtype=np.intp))


def test_it_names_the_images_that_were_gained_and_lost() -> None:
    tests = locked(0, 0, 1, 1)
    evidence = make_evidence(tests, np.array([0, 1, 1, 0]), np.array([1, 0, 1, 1]))
    assert (evidence.gained, evidence.gained_images) == (1, (UUID(int=0),))
    assert (evidence.lost, evidence.lost_images) == (2, (UUID(int=1), UUID(int=3)))


def test_it_counts_all_lost_images_and_names_a_hundred() -> None:
    tests = locked(*[0] * (MOST_NAMED + 7), 1)
    right = tests.truths
    evidence = make_evidence(tests, 1 - right, right)
    assert evidence.lost == MOST_NAMED + 8
    assert len(evidence.lost_images) == MOST_NAMED


def test_each_class_has_its_recall_with_an_interval() -> None:
    evidence = make_evidence(locked(0, 0, 0, 0, 1), np.array([0, 0, 0, 1, 1]), None)
    assert evidence.confusion == ((3, 1), (0, 1))
    dandelion, grass = evidence.classes
    assert (dandelion.label, dandelion.images, dandelion.right, dandelion.recall) == ("dandelion", 4, 3, 0.75)
    assert (dandelion.low, dandelion.high) == pytest.approx((0.3006, 0.9544), abs=1e-3)
    assert grass.recall == 1.0
    assert grass.low < 0.3


def test_without_a_champion_nothing_is_gained_or_lost() -> None:
    evidence = make_evidence(locked(0, 1), np.array([1, 0]), None)
    assert (evidence.gained, evidence.lost) == (0, 0)


def test_a_label_that_no_test_image_has_counts_as_wrong() -> None:
    evidence = make_evidence(locked(0, 1), np.array([-1, 1]), np.array([0, 1]))
    assert evidence.confusion == ((0, 0), (0, 1))
    assert evidence.classes[0].right == 0
    assert evidence.lost == 1
