"""When a full candidate is tried first, and how a trial ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.dataset.records import Champion, TrialCounts
from services.trainer.gate.decisions.trials import (
    TrialSettings,
    TrialState,
    conclude,
    describe_trials,
    judge_trial,
    start_trial,
)
from services.trainer.gate.decisions.verdict_events import Promote, Reject, rule_outcome
from shared.contract.events import ModelTrained, RuleOutcome
from shared.testing import model_promoted, model_trained, trial_started

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATE = NOW + timedelta(hours=2)
TRIED = TrialSettings(share=0.25, mode="canary", answers=50, seconds=60, disagreement=0.1)
CANDIDATE = model_trained(version="full-2")
SERVES = Champion(model_promoted(version="full-1", sequence=4), model_trained(version="full-1"))
MEASURED = (rule_outcome("accuracy", True, "90 of 100 are right."),)


def passing(model: ModelTrained = CANDIDATE) -> Promote:
    return Promote(model, "superior", "Promoted: it is better than the champion.", rules=MEASURED)


def state(compared: int = 0, disagreed: int = 0) -> TrialState:
    """Return a trial of 200 answers of which a fifth may differ."""
    trial = trial_started(version="full-2", answers=200, ends_at=NOW + timedelta(hours=1), verdict=MEASURED)
    return TrialState(trial, TrialCounts(compared, disagreed))


def outcomes(rules: tuple[RuleOutcome, ...]) -> list[tuple[str, str]]:
    return [(one.rule, one.outcome) for one in rules]


def test_a_trial_says_who_is_tried_against_whom_and_for_how_long() -> None:
    trial = start_trial(passing(), CANDIDATE, SERVES, TRIED, NOW)
    assert trial is not None
    assert (trial.version, trial.champion, trial.sequence) == ("full-2", "full-1", 4)
    assert (trial.mode, trial.share, trial.answers, trial.disagreement) == ("canary", 0.25, 50, 0.1)
    assert (trial.ends_at, trial.causes, trial.verdict) == (
        NOW + timedelta(seconds=60),
        (CANDIDATE.event_id,),
        MEASURED,
    )
    assert trial.artefact_sha256 == CANDIDATE.artefact_sha256
    again = start_trial(passing(), CANDIDATE, SERVES, replace_share(0.5), LATE)
    assert again is not None
    assert again.event_id == trial.event_id


def replace_share(share: float) -> TrialSettings:
    return TRIED.model_copy(update={"share": share})


def test_what_is_not_tried() -> None:
    fast = model_trained(version="fast-3", lane="fast")
    assert start_trial(passing(), CANDIDATE, SERVES, TrialSettings(), NOW) is None
    assert start_trial(passing(), CANDIDATE, None, TRIED, NOW) is None
    assert start_trial(passing(fast), fast, SERVES, TRIED, NOW) is None
    assert start_trial(Reject("full-2", "Rejected."), CANDIDATE, SERVES, TRIED, NOW) is None


@pytest.mark.parametrize(
    ("compared", "disagreed", "now", "passed", "outcome"),
    [
        (200, 0, NOW, True, "passed"),
        (200, 40, NOW, True, "passed"),
        (200, 41, NOW, False, "failed"),
        (260, 26, LATE, True, "passed"),
        (40, 30, NOW, False, "failed"),  # enough to know it before the time
        (0, 0, LATE, True, "insufficient_evidence"),
        (20, 4, LATE, True, "insufficient_evidence"),
        (20, 10, LATE, False, "failed"),
    ],
)
def test_how_a_trial_ends(compared: int, disagreed: int, now: datetime, passed: bool, outcome: str) -> None:
    end = judge_trial(state(compared, disagreed), now)
    assert end is not None
    assert (end.passed, outcomes(end.rules)) == (passed, [("trial_agreement", outcome)])
    assert end.rules[0].figures["compared"] == compared


@given(compared=st.integers(0, 199), share=st.floats(0, 0.2))
def test_a_trial_goes_on_while_few_answers_differ(compared: int, share: float) -> None:
    assert judge_trial(state(compared, int(compared * share)), NOW) is None


@given(compared=st.integers(0, 400), disagreed=st.integers(0, 400), more=st.integers(1, 400))
def test_more_disagreement_never_helps(compared: int, disagreed: int, more: int) -> None:
    disagreed = min(compared, disagreed)
    worse = judge_trial(state(compared, min(compared, disagreed + more)), LATE)
    better = judge_trial(state(compared, disagreed), LATE)
    assert worse is not None
    assert better is not None
    assert better.passed >= worse.passed


def test_a_failure_ends_a_trial_at_once_with_its_reason() -> None:
    failed = state(3)
    end = judge_trial(replace(failed, counts=replace(failed.counts, failed=2, detail="It is unreadable.")), NOW)
    assert end is not None
    assert outcomes(end.rules) == [("trial_answers", "failed")]
    assert "2 times: It is unreadable." in end.rules[0].sentence


def test_a_person_a_freeze_and_a_newer_trial_end_it_although_all_agreed() -> None:
    agreed = state(200)
    frozen = model_promoted(route="freeze", frozen=True, sequence=2, summary="carla froze promotions: the fair.")
    forced = model_promoted(route="override", sequence=2, summary="carla put full-9 into service.")
    ends = [
        judge_trial(replace(agreed, ended_by=frozen), NOW),
        judge_trial(replace(agreed, ended_by=forced), NOW),
        judge_trial(replace(agreed, replaced_by="full-3"), NOW),
    ]
    rules = [(end.passed, outcomes(end.rules)) for end in ends if end is not None]
    assert rules == [
        (False, [("trial", "not_applicable"), ("promotions_open", "failed")]),
        (False, [("trial", "failed")]),
        (False, [("trial", "failed")]),
    ]


def test_the_verdict_has_the_rules_measured_and_those_of_the_trial() -> None:
    passed, failed = judge_trial(state(200, 10), NOW), judge_trial(state(200, 100), NOW)
    assert passed is not None
    assert failed is not None
    trial = state().trial
    promoted = conclude(passed, trial, passing())
    assert isinstance(promoted, Promote)
    assert outcomes(promoted.rules) == [("accuracy", "passed"), ("trial_agreement", "passed")]
    assert "10 of 200 answers to live requests differ" in promoted.summary
    rejected = conclude(failed, trial, None)
    assert isinstance(rejected, Reject)
    assert outcomes(rejected.rules) == [("accuracy", "passed"), ("trial_agreement", "failed")]
    assert rejected.summary.startswith("Rejected after a trial: 100 of 200")
    worse_now = Reject("full-2", "Rejected: it is worse now.", MEASURED)
    assert conclude(passed, trial, worse_now) == replace(worse_now, rules=(*MEASURED, *passed.rules))


def test_which_trial_goes_on_is_said_in_a_sentence() -> None:
    assert describe_trials([]) == ""
    assert "full-2 is tried (shadow, 50% of the requests)" in describe_trials([state(12, 3)])
    assert "12 of 200 answers compared, 3 differ." in describe_trials([state(12, 3)])
