"""The gate's verdicts as events: which numbers, ids and causes they carry. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.trainer.dataset.records import Champion
from services.trainer.gate.decisions.rules import Approval
from shared.contract.events import (
    ModelPromoted,
    ModelRejected,
    ModelTrained,
    PromotionRequested,
    RuleOutcome,
    SetAside,
    VerdictEvidence,
    uuid_of,
)

Route = Literal["first", "superior", "non_inferior", "rollback", "approve", "override", "freeze", "unfreeze"]

FIRST_SERVED: tuple[Route, ...] = ("first", "superior", "non_inferior", "approve", "override")
"""The routes by which a version may serve for the first time."""


@dataclass(frozen=True, slots=True)
class Promote:
    """This model serves from now on. `frozen`: whether later candidates then wait for an operator."""

    model: ModelTrained
    route: Route
    summary: str
    frozen: bool = False
    rules: tuple[RuleOutcome, ...] = ()
    evidence: VerdictEvidence | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """This version does not serve, or this request is refused. `version` None: it named nothing that exists.
    `waits_for_approval`: it would pass, and an operator decides."""

    version: str | None
    summary: str
    rules: tuple[RuleOutcome, ...] = ()
    set_aside: tuple[SetAside, ...] = field(default=())
    evidence: VerdictEvidence | None = None
    waits_for_approval: bool = False


Decision = Promote | Reject
Cause = ModelTrained | PromotionRequested | ModelPromoted
"""What a verdict is about: a candidate, a request, or a promotion that turned out to be a mistake."""


def make_verdict_event(
    decision: Decision, cause: Cause, champion: Champion | None, now: datetime
) -> ModelPromoted | ModelRejected:
    """Return the decision as an event. It was made while `champion` served, so it takes the next sequence: should
    another promotion get that number first, this one does not count, and the gate decides again under another id."""
    sequence = 1 if champion is None else champion.sequence + 1
    answers = cause.event_id if isinstance(cause, PromotionRequested) else None
    event_id = uuid_of("verdict", cause.event_id, sequence)
    if isinstance(decision, Reject):
        return ModelRejected(
            event_id=event_id,
            occurred_at=now,
            causes=(cause.event_id,),
            model_name=cause.model_name,
            version=decision.version,
            verdict=decision.rules,
            summary=decision.summary,
            set_aside=decision.set_aside,
            answers=answers,
            evidence=decision.evidence,
            waits_for_approval=decision.waits_for_approval,
        )
    return ModelPromoted(
        event_id=event_id,
        occurred_at=now,
        causes=(cause.event_id,),
        model_name=cause.model_name,
        version=decision.model.version,
        artefact_key=decision.model.artefact_key,
        artefact_sha256=decision.model.artefact_sha256,
        sequence=sequence,
        replaces=None if champion is None else champion.version,
        frozen=decision.frozen,
        lane=decision.model.lane,
        route=decision.route,
        verdict=decision.rules,
        summary=decision.summary,
        requested_by=cause.requested_by if isinstance(cause, PromotionRequested) else None,
        answers=answers,
        corrected_at=decision.model.corrected_at if decision.route in FIRST_SERVED else (),
        evidence=decision.evidence,
    )


def ask_first(decision: Decision, approval: Approval) -> Decision:
    """Return the decision, or that a full candidate waits for an operator if people want to be asked. Candidates of the
    fast lane never wait: they hold what a person has decided already."""
    if approval == "automatic" or isinstance(decision, Reject) or decision.model.lane == "fast":
        return decision
    version = decision.model.version
    sentence = f"An operator has to approve it: pappus approve {version}."
    passed = decision.summary.removeprefix("Promoted: ")
    return Reject(
        version,
        f"Waits for an operator: {passed} {sentence}",
        (*decision.rules, rule_outcome("operator_approves", False, sentence)),
        evidence=decision.evidence,
        waits_for_approval=True,
    )


def failed_rules(rules: Sequence[RuleOutcome]) -> list[str]:
    """Return the names of the rules that failed."""
    return [one.rule for one in rules if one.outcome == "failed"]


def rule_outcome(rule: str, passed: bool, sentence: str, figures: Mapping[str, float] | None = None) -> RuleOutcome:
    """Return a rule that passed or failed, in a sentence."""
    outcome = "passed" if passed else "failed"
    return RuleOutcome(rule=rule, outcome=outcome, sentence=sentence, figures=dict(figures or {}))
