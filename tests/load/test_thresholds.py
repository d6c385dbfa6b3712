"""When a load test fails."""

import pytest

from tests.load.settings import LoadSettings
from tests.load.thresholds import FROZEN, KINDS, PHASES, PROMOTING, Figures, judge

SETTINGS = LoadSettings(p95_predict=250, p95_upload=1500, p95_correct=1500, slow_down=2, promotions=1, failure_ratio=0)


def sound() -> Figures:
    """Return the figures of a run in which every threshold holds."""
    figures = Figures(promotions={FROZEN: 0, PROMOTING: 3})
    for phase in PHASES:
        for kind in KINDS:
            for number in range(100):
                figures.add(phase, kind, 50 + number, None)
    return figures


def test_a_run_within_its_thresholds_passes() -> None:
    assert judge(sound(), SETTINGS) == []


def test_one_failed_request_fails_the_run() -> None:
    figures = sound()
    figures.add(PROMOTING, "predict", 5, "503")
    (wrong,) = judge(figures, SETTINGS)
    assert wrong == "with promotions: 1 of 301 requests failed (PAPPUS_LOAD_FAILURE_RATIO), first predict: 503"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_slow_kind_fails_the_run(phase: str, kind: str) -> None:
    figures = sound()
    for _ in range(20):
        figures.add(phase, kind, 9000, None)
    assert f"{phase}: p95 of {kind} is 9000 ms" in "\n".join(judge(figures, SETTINGS))


def test_predictions_may_not_become_much_slower_while_promoting() -> None:
    figures = sound()
    figures.requests[FROZEN, "predict"].milliseconds[:] = [20.0] * 100
    (wrong,) = judge(figures, SETTINGS)
    assert "is more than 2.0 times the 20 ms before" in wrong


def test_a_run_without_promotions_says_nothing() -> None:
    figures = sound()
    figures.promotions[PROMOTING] = 0
    (wrong,) = judge(figures, SETTINGS)
    assert wrong.startswith("only 0 models were promoted")


def test_a_promotion_while_frozen_fails_the_run() -> None:
    figures = sound()
    figures.promotions[FROZEN] = 1
    (wrong,) = judge(figures, SETTINGS)
    assert "1 models were promoted in the first phase" in wrong


def test_a_kind_that_hardly_came_fails_the_run() -> None:
    figures = sound()
    del figures.requests[FROZEN, "upload"]
    (wrong,) = judge(figures, SETTINGS)
    assert "0 requests of kind upload say nothing" in wrong


def test_a_login_is_not_measured() -> None:
    figures = sound()
    figures.add(FROZEN, "login", 60_000, "refused")
    assert judge(figures, SETTINGS) == []
