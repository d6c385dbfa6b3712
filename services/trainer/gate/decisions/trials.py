"""Has a full candidate to prove itself on live requests first, and has it? Pure.

A trial compares answers, and no person says which of two is right: that two models differ in few of them is what it
can show. Too few answers within its time show nothing, and the candidate is judged by what the gate measured itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from services.trainer.dataset.records import Champion, TrialCounts
from services.trainer.gate.decisions.sequential import evidence_above
from services.trainer.gate.decisions.verdict_events import Decision, Promote, Reject, rule_outcome
from shared.contract.events import ModelPromoted, ModelTrained, RuleOutcome, uuid_of
from shared.contract.intervals import wilson_interval
from shared.contract.trials import TrialMode, TrialStarted

ERROR = 0.01
"""The probability of ending a trial early although the true share of other answers is not above the limit."""


class TrialSettings(BaseModel, frozen=True):
    """How full candidates are tried on live requests before they serve."""

    share: float = Field(default=0.0, ge=0, le=1, description="of the requests that a candidate answers; 0: no trials")
    mode: TrialMode = Field(
        default="shadow", description="shadow: its answers are given to none; canary: to that share"
    )
    answers: int = Field(default=200, ge=1, description="compared answers that are enough")
    seconds: float = Field(default=3600.0, gt=0, description="so long at most")
    disagreement: float = Field(default=0.2, ge=0, le=1, description="share of the answers that may differ")


@dataclass(frozen=True, slots=True)
class TrialState:
    """A trial as the tables show it. `ended_by`: the promotion that ended it, None if none did; `replaced_by`: the
    version whose trial began after it, None if there is none."""

    trial: TrialStarted
    counts: TrialCounts
    ended_by: ModelPromoted | None = None
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """How a trial ended: whether the candidate may serve if the gate, asked now, would promote it, and the rules."""

    passed: bool
    rules: tuple[RuleOutcome, ...]


def start_trial(
    decision: Decision, cause: ModelTrained, champion: Champion | None, settings: TrialSettings, now: datetime
) -> TrialStarted | None:
    """Return the trial that comes before this promotion; None if there is none: trials are off, it is no promotion of a
    full candidate, or nothing serves that it could be compared with."""
    if not settings.share or not isinstance(decision, Promote) or cause.lane != "full" or champion is None:
        return None
    given = "gives its answers to" if settings.mode == "canary" else "answers unseen"
    return TrialStarted(
        event_id=uuid_of(TrialStarted.topic, cause.event_id),
        occurred_at=now,
        causes=(cause.event_id,),
        model_name=cause.model_name,
        version=cause.version,
        artefact_key=cause.artefact_key,
        artefact_sha256=cause.artefact_sha256,
        mode=settings.mode,
        share=settings.share,
        champion=champion.version,
        sequence=champion.sequence,
        answers=settings.answers,
        ends_at=now + timedelta(seconds=settings.seconds),
        disagreement=settings.disagreement,
        verdict=decision.rules,
        summary=(
            f"Tried first: {cause.version} {given} {settings.share:.0%} of the requests, until {settings.answers}"
            f" answers are compared with those of the champion. {decision.summary.removeprefix('Promoted: ')}"
        ),
    )


def judge_trial(state: TrialState, now: datetime) -> TrialEnd | None:
    """Return how a trial ended; None while it goes on."""
    trial, counts = state.trial, state.counts
    interrupted = _interrupted(state)
    if interrupted:
        return TrialEnd(False, interrupted)
    if counts.failed:
        times = "once" if counts.failed == 1 else f"{counts.failed} times"
        sentence = f"The candidate could not be loaded or gave no answer, {times}: {counts.detail or 'no reason given'}"
        return TrialEnd(False, (_rule("trial_answers", False, sentence.rstrip(".") + ".", state),))
    over, enough = now >= trial.ends_at, counts.compared >= trial.answers
    differs = evidence_above(counts.disagreed, counts.compared, trial.disagreement) >= 1 / ERROR
    if not (over or enough or differs):
        return None
    low, _ = wilson_interval(counts.disagreed, counts.compared)
    if enough:
        passed = counts.disagreed <= trial.disagreement * counts.compared
    else:
        passed = not differs and low <= trial.disagreement
    rules = [_agreement(state, passed)]
    if passed and not enough:
        rules = [_too_few(state)]
    return TrialEnd(passed, tuple(rules))


def conclude(end: TrialEnd, trial: TrialStarted, measured: Decision | None) -> Decision:
    """Return the verdict on a candidate after its trial. `measured`: the decision that the gate would take now; None if
    the trial was not passed."""
    if measured is None or not end.passed:
        said = " ".join(one.sentence for one in end.rules if one.outcome == "failed")
        return Reject(trial.version, f"Rejected after a trial: {said}", (*trial.verdict, *end.rules))
    rules = (*measured.rules, *end.rules)
    if isinstance(measured, Reject):
        return Reject(
            measured.version,
            measured.summary,
            rules,
            measured.set_aside,
            measured.evidence,
            measured.waits_for_approval,
        )
    summary = f"{measured.summary} {' '.join(one.sentence for one in end.rules)}"
    return Promote(measured.model, measured.route, summary, measured.frozen, rules, measured.evidence)


def describe_trials(states: Sequence[TrialState]) -> str:
    """Return in a sentence which trial goes on; empty without one."""
    if not states:
        return ""
    trial, counts = states[-1].trial, states[-1].counts
    return (
        f"{trial.version} is tried ({trial.mode}, {trial.share:.0%} of the requests) until"
        f" {trial.ends_at:%Y-%m-%d %H:%M} UTC at most: {counts.compared} of {trial.answers} answers compared,"
        f" {counts.disagreed} differ."
    )


def _interrupted(state: TrialState) -> tuple[RuleOutcome, ...]:
    """Return why a trial is over before it showed anything; nothing if it is not so. Where promotions are frozen now
    the candidate can be approved, as others can that came while they were."""
    by = state.ended_by
    if by is not None and by.frozen:
        stopped = f"Promotions are frozen: {by.summary.rstrip('.')}."
        ended = "The trial ended before its time, so it shows nothing."
        row = RuleOutcome(rule="trial", outcome="not_applicable", sentence=ended, figures=_figures(state))
        return (row, rule_outcome("promotions_open", False, stopped))
    if by is not None:
        return (_rule("trial", False, f"The trial was ended by another decision: {by.summary}", state),)
    if state.replaced_by is not None:
        return (_rule("trial", False, f"{state.replaced_by}, which is newer, is tried instead.", state),)
    return ()


def _agreement(state: TrialState, passed: bool) -> RuleOutcome:
    return _rule("trial_agreement", passed, f"{_compared(state)} {state.trial.disagreement:.0%} may differ.", state)


def _too_few(state: TrialState) -> RuleOutcome:
    sentence = (
        f"{_compared(state)} That is fewer than {state.trial.answers} within the time of the trial, too few to show"
        " anything: what was measured on the test images decides."
    )
    return RuleOutcome(
        rule="trial_agreement", outcome="insufficient_evidence", sentence=sentence, figures=_figures(state)
    )


def _compared(state: TrialState) -> str:
    counts = state.counts
    if not counts.compared:
        return "No answer to a live request was compared."
    low, high = wilson_interval(counts.disagreed, counts.compared)
    return (
        f"{counts.disagreed} of {counts.compared} answers to live requests differ from those of the champion"
        f" (95 % interval {low:.1%} to {high:.1%})."
    )


def _rule(rule: str, passed: bool, sentence: str, state: TrialState) -> RuleOutcome:
    return rule_outcome(rule, passed, sentence, _figures(state))


def _figures(state: TrialState) -> dict[str, float]:
    counts = state.counts
    low, high = wilson_interval(counts.disagreed, counts.compared)
    figures: dict[str, float] = {"compared": counts.compared, "disagreed": counts.disagreed, "low": low, "high": high}
    return figures | {"failed": counts.failed, "dropped": counts.dropped, "limit": state.trial.disagreement}
