"""The watch of the pictures: one alarm for each drift, with what explains it."""

import numpy as np
import pytest

from services.predictor.monitor.decisions.pictures import (
    FEATURES,
    NOTHING_WATCHED,
    OVER_ANSWERS,
    PictureWatch,
    Reference,
    count_answer,
    describe_answers,
    start_watch,
    statistics,
)
from services.predictor.monitor.decisions.rows import AnswerRow, answer_row
from shared.contract.replicas import PredictionLogged
from shared.drift.reference import make_reference
from tests.unit.predictor.monitor.references_in_tests import LABELS, answers, reference

CALM, SHIFTED = 200, 60


def rows(events: list[PredictionLogged], start: int = 0) -> list[AnswerRow]:
    found = [
        answer_row(event, event.event_id, {"partition": "0", "offset": at}, float(at))
        for at, event in enumerate(events, start)
    ]
    return [row for row in found if row is not None]


def counted(watch: PictureWatch, some: list[AnswerRow]) -> tuple[PictureWatch, list[int]]:
    alarms = []
    for row in some:
        watch, begins = count_answer(watch, row, reference())
        if begins:
            alarms.append(row["offset"])
    return watch, alarms


@pytest.fixture
def calm() -> PictureWatch:
    """The watch after answers without drift."""
    watch, alarms = counted(start_watch(NOTHING_WATCHED, reference(), 1), rows(answers(CALM)))
    assert alarms == []
    return watch


def test_a_drift_is_one_alarm_however_long_it_lasts(calm: PictureWatch) -> None:
    watch, alarms = counted(calm, rows(answers(400, shift=1.0, seed=3), CALM))
    assert len(alarms) == 1
    assert CALM <= alarms[0] < CALM + 50
    assert watch["episode"] == 1


def test_since_when_is_the_last_usual_answer(calm: PictureWatch) -> None:
    watch, _ = counted(calm, rows(answers(SHIFTED, shift=1.0, seed=3), CALM))
    assert watch["open_since"] == pytest.approx(CALM, abs=25)


def test_after_the_drift_is_over_the_next_one_is_noticed(calm: PictureWatch) -> None:
    watch, _ = counted(calm, rows(answers(SHIFTED, shift=1.0, seed=3), CALM))
    watch, between = counted(watch, rows(answers(OVER_ANSWERS + 150, seed=4), CALM + SHIFTED))
    assert (between, watch["open_since"]) == ([], None)
    watch, again = counted(watch, rows(answers(SHIFTED, shift=-1.0, seed=5), 1000))
    assert (len(again), watch["episode"]) == (1, 2)


def test_the_figures_say_what_is_answered_and_how_surely(calm: PictureWatch) -> None:
    figures = describe_answers(calm, reference())
    assert figures["confidence"] == pytest.approx(0.9, abs=0.03)
    assert figures["expected_confidence"] == pytest.approx(0.9, abs=0.02)
    assert figures["share_dandelion"] == pytest.approx(0.5, abs=0.25)

    unsure = [{**row, "confidence": 0.55, "label": "grass"} for row in rows(answers(300, seed=6), CALM)]
    watch, _ = counted(calm, unsure)  # type: ignore[arg-type]
    figures = describe_answers(watch, reference())
    assert figures["confidence"] == pytest.approx(0.55, abs=0.02)
    assert figures["share_grass"] == pytest.approx(1, abs=0.02)


def test_labels_and_confidence_have_statistics_beside(calm: PictureWatch) -> None:
    unsure = [{**row, "confidence": 0.55, "label": "grass"} for row in rows(answers(300, seed=6), CALM)]
    watch, alarms = counted(calm, unsure)  # type: ignore[arg-type]
    values, thresholds = statistics(watch), reference().thresholds()
    over = {name for name, value in values.items() if value > thresholds[name]}
    assert over == {"labels", "confidence"}
    assert alarms == []  # the pictures are as they were
    assert values[FEATURES] < thresholds[FEATURES]


def test_ten_shots_of_one_flower_are_one_picture(calm: PictureWatch) -> None:
    (shot,) = rows(answers(1, shift=0.5, seed=8), CALM)
    again = [{**shot, "sketch": [number + 0.05 * k for number in shot["sketch"]]} for k in range(10)]
    watch, _ = counted(calm, again)  # type: ignore[arg-type]
    assert watch["answers"] == calm["answers"] + 1


def test_one_odd_picture_is_no_drift(calm: PictureWatch) -> None:
    (odd,) = rows(answers(1, seed=8), CALM)
    watch, alarms = counted(calm, [{**odd, "sketch": [1e8] * 16}])
    assert alarms == []
    watch, alarms = counted(watch, rows(answers(100, seed=9), CALM + 1))
    assert alarms == []


def test_a_reference_of_many_images_is_as_calm_and_dates_as_well() -> None:
    random = np.random.default_rng(3)
    made = make_reference(random.standard_normal((5000, 16)), [0, 1] * 500, np.full(1000, 0.9), 2)
    assert made is not None
    watch, of, alarms = start_watch(NOTHING_WATCHED, Reference(made, LABELS), 1), Reference(made, LABELS), []
    stream = [*answers(300, of=of), *answers(60, shift=1.0, seed=3, of=of)]
    for row in rows(stream):
        watch, begins = count_answer(watch, row, of)
        alarms += [row["offset"]] if begins else []
    assert len(alarms) == 1
    assert alarms[0] >= 300
    assert watch["open_since"] == pytest.approx(300, abs=40)
    for row in rows(answers(OVER_ANSWERS * 2, seed=5, of=of), 1000):
        watch, _ = count_answer(watch, row, of)
    assert watch["open_since"] is None


def test_an_answer_that_does_not_fit_the_reference_changes_nothing(calm: PictureWatch) -> None:
    (row,) = rows(answers(1, seed=8), CALM)
    assert count_answer(calm, {**row, "label": "moss"}, reference()) == (calm, False)
    assert count_answer(calm, {**row, "sketch": [0.0] * 3}, reference()) == (calm, False)
