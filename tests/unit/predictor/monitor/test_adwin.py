"""ADWIN: it cuts where people began to disagree, and nowhere by chance."""

import numpy as np
import pytest

from services.predictor.monitor.decisions.adwin import SMALLEST_PART, find_cut
from services.predictor.monitor.decisions.agreement import (
    NOTHING_SAID,
    USUAL_AFTER,
    AgreementWatch,
    count_outcome,
)
from services.predictor.monitor.decisions.rows import OutcomeRow


def outcome(number: int, right: bool, sure: float = 0.9) -> OutcomeRow:
    return {
        "partition": "0",
        "offset": number,
        "event_id": str(number),
        "at": float(number),
        "version": "v1",
        "right": right,
        "probability": sure,
    }


def counted(outcomes: list[bool], watch: AgreementWatch = NOTHING_SAID) -> tuple[AgreementWatch, list[int]]:
    """Return the watch after these outcomes, and with which of them a fall was noticed."""
    alarms = []
    start = max(watch["seen"].values(), default=0)
    for number, right in enumerate(outcomes):
        watch, cut = count_outcome(watch, outcome(start + number, right))
        if cut is not None:
            alarms.append(number)
    return watch, alarms


def drawn(random: np.random.Generator, accuracy: float, count: int) -> list[bool]:
    return [bool(right) for right in random.random(count) < accuracy]


def test_a_steady_accuracy_is_cut_in_few_of_many_streams() -> None:
    cut = sum(bool(counted(drawn(np.random.default_rng(seed), 0.9, 300))[1]) for seed in range(30))
    assert cut <= 1


@pytest.mark.parametrize("after", [0.5, 0.7])
def test_a_fall_is_noticed_once_and_dated(after: float) -> None:
    random = np.random.default_rng(4)
    watch, alarms = counted([*drawn(random, 0.95, 200), *drawn(random, after, 150)])
    assert len(alarms) == 1
    assert alarms[0] >= 200
    assert watch["episode"] == 1
    assert watch["open_since"] is not None
    assert 170 <= watch["open_since"] <= 215


def test_a_rise_ends_the_fall_and_is_no_alarm() -> None:
    random = np.random.default_rng(5)
    watch, alarms = counted([*drawn(random, 0.95, 200), *drawn(random, 0.4, 100)])
    watch, later = counted(drawn(random, 0.98, 100), watch)
    assert (len(alarms), later, watch["open_since"], watch["episode"]) == (1, [], None, 1)


def test_what_stays_is_usual_after_a_while() -> None:
    random = np.random.default_rng(6)
    watch, _ = counted([*drawn(random, 0.95, 200), *drawn(random, 0.5, 100)])
    assert watch["open_since"] is not None
    watch, later = counted(drawn(random, 0.5, USUAL_AFTER), watch)
    assert (later, watch["open_since"]) == ([], None)


def test_a_second_fall_is_another_one() -> None:
    random = np.random.default_rng(7)
    falls = [*drawn(random, 0.95, 200), *drawn(random, 0.4, 80), *drawn(random, 0.95, 200), *drawn(random, 0.4, 80)]
    watch, alarms = counted(falls)
    assert (len(alarms), watch["episode"]) == (2, 2)


def test_doubtful_images_that_come_first_are_no_fall() -> None:
    """Of what the model is sure of, people agree with nearly all; of what it is not, with about half."""
    random, watch, falls = np.random.default_rng(8), NOTHING_SAID, 0
    for number in range(400):
        sure = 0.55 if number // 50 % 2 == 0 else 0.97
        watch, fall = count_outcome(watch, outcome(number, bool(random.random() < sure), sure))
        falls += fall is not None
    assert falls == 0


def test_too_few_outcomes_are_never_cut() -> None:
    assert find_cut([True] * (SMALLEST_PART - 1) + [False] * SMALLEST_PART) is None
