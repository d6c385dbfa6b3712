"""Accuracy over the number of labels: which labels count, what is compared, and what the interval allows to be said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.decisions.learning_curve import Served, count_labels, earlier_version, judge_step, thin_out
from shared.contract.intervals import difference_interval


def served(version: str, sequence: int, learned: int, parent: str | None = None, images: int = 60) -> Served:
    """Return a version that served: a full one, or with a parent one that holds so many corrections."""
    full = parent is None
    return Served(version, sequence, full, parent, learned, 0 if full else learned, min(images, 50), images)


def line(*corrections: int, images: int = 60) -> list[Served]:
    """Return a full model with 200 labels, and versions on it that hold these numbers of corrections."""
    found = [served("full", 1, 200, images=images)]
    for number, held in enumerate(corrections, 2):
        found.append(served(f"fast-{number}", number, held, found[-1].version, images))
    return found


def test_labels_are_those_of_the_full_training_and_the_corrections_since() -> None:
    versions = [*line(1, 2), Served("full-2", 4, True, "fast-3", 260, 40, 50, 60)]
    versions += [Served("fast-5", 5, False, "full-2", 41, 41, 50, 60), served("orphan", 6, 9, "unknown")]
    assert count_labels(versions) == {"full": 200, "fast-2": 201, "fast-3": 202, "full-2": 260, "fast-5": 261}


@pytest.mark.parametrize(
    ("corrections", "expected"),
    [
        ((10, 19), None),  # too few
        ((10, 20), "full"),  # fewer than a step: all of them
        ((50, 100, 149, 200), "fast-3"),  # the newest that knew a step less
        ((50, 100, 90, 200), "fast-4"),
        ((), None),
    ],
)
def test_the_champion_is_compared_with_one_that_knew_a_step_less(
    corrections: tuple[int, ...], expected: str | None
) -> None:
    versions = line(*corrections)
    assert earlier_version(versions, versions[-1].version, count_labels(versions)) == expected


def test_a_champion_is_compared_with_what_served_before_it_alone() -> None:
    versions = line(120, 400)
    assert earlier_version(versions, "fast-2", count_labels(versions)) == "full"  # a rollback put it into service again


def test_versions_that_were_not_measured_are_compared_with_none() -> None:
    versions = line(150, images=0)
    assert earlier_version(versions, "fast-2", count_labels(versions)) is None
    assert thin_out(versions, count_labels(versions), 10) == []


def test_the_interval_is_that_of_known_examples() -> None:
    """Agresti, Categorical Data Analysis, ratings of a prime minister: 150 of 1600 people one way, 86 the other. He
    gives Wald's interval, which differs little with so many."""
    assert difference_interval(150, 86, 1600) == pytest.approx((0.0213, 0.0587), abs=5e-4)
    none = 1.959964**2 / (240 + 1.959964**2)
    assert difference_interval(0, 0, 240) == pytest.approx((-none, none), abs=1e-9)
    assert difference_interval(0, 0, 0) == (-1.0, 1.0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    draws = generator.multinomial(200, [0.05, 0.03, 0.92], size=400)
    held = 0
    for gained, lost, _ in draws.tolist():
        low, high = difference_interval(gained, lost, 200)
        held += low <= 0.02 <= high
    assert 0.93 <= held / len(draws) <= 0.98


@given(st.integers(0, 30), st.integers(0, 30), st.integers(60, 2000))
def test_the_interval_holds_what_was_seen_and_turns_round(gained: int, lost: int, images: int) -> None:
    low, high = difference_interval(gained, lost, images)
    assert -1 <= low <= (gained - lost) / images <= high <= 1
    assert difference_interval(lost, gained, images) == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    ("gained", "lost", "images", "expected"),
    [
        (12, 1, 240, "helped"),
        (3, 1, 240, "open"),
        (0, 0, 60, "open"),  # too few test images to say anything
        (1, 1, 1000, "enough"),
        (1, 12, 240, "harmed"),
    ],
)
def test_a_step_is_judged_by_what_is_certain(gained: int, lost: int, images: int, expected: str) -> None:
    low, high, verdict = judge_step(gained, lost, images)
    assert verdict == expected
    assert low < (gained - lost) / images < high


def test_a_long_curve_keeps_its_ends_and_few_points_between() -> None:
    versions = line(*range(1, 1000))
    kept = thin_out(versions, count_labels(versions), 11)
    assert [each.version for each in (kept[0], kept[-1])] == ["full", "fast-1000"]
    assert [each.corrections for each in kept] == [0, 100, 200, 300, 400, 499, 599, 699, 799, 899, 999]
    assert thin_out(versions[:5], count_labels(versions), 11) == versions[:5]
