"""The watch of the pictures: one alarm for each drift, with what explains it."""

import pytest

from services.predictor.monitor.decisions.pictures import (
    FEATURES,
    NOTHING_WATCHED,
    OVER_ANSWERS,
    PictureWatch,
    count_answer,
    describe_answers,
    start_watch,
    statistics,
)
from services.predictor.monitor.decisions.rows import AnswerRow, answer_row
from shared.contract.events import PredictionLogged
from tests.unit.predictor.monitor.references_in_tests import answers, reference

CALM, SHIFTED = 200, 60


def rows(events: list[PredictionLogged], start: int = 0) -> list[AnswerRow]:
    found = [answer_row(event, {"partition": "0", "offset": start + at}) for at, event in enumerate(events)]
    return [{**row, "at": float(start + at)} for at, row in enumerate(found) if row is not None]


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
    assert figures["share_dandelion"] + figures["share_grass"] == pytest.approx(1, abs=0.001)

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


def test_an_answer_that_does_not_fit_the_reference_changes_nothing(calm: PictureWatch) -> None:
    (row,) = rows(answers(1, seed=8), CALM)
    assert count_answer(calm, {**row, "label": "moss"}, reference()) == (calm, False)
    assert count_answer(calm, {**row, "sketch": [0.0] * 3}, reference()) == (calm, False)
