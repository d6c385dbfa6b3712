"""What the gate decides about: a candidate, or a request of an operator. Each is a case of `shared.tables.decider`."""

from dataclasses import dataclass, field
from functools import cached_property

from services.trainer.data import queries, trials
from services.trainer.data.known_models import KnownModels
from services.trainer.dataset.records import Champion
from services.trainer.gate.decisions.promotion_requests import (
    RequestContext,
    RequiresEvaluation,
    RequiresLoad,
    plan_request,
    reason_frozen,
    reason_if_superseded,
)
from services.trainer.gate.decisions.rules import Approval
from services.trainer.gate.decisions.trials import TrialSettings, start_trial
from services.trainer.gate.decisions.verdict_events import (
    Cause,
    Decision,
    Promote,
    Reject,
    ask_first,
    failed_rules,
    make_verdict_event,
    rule_outcome,
)
from services.trainer.gate.evaluator import ChampionLost, Evaluator
from services.trainer.gate.metrics import RULES, TRIALS, VERDICTS
from services.trainer.gate.model_loader import ModelLoadError
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained, PromotionRequested
from shared.contract.trials import TrialStarted
from shared.runtime.clock import Clock
from shared.runtime.telemetry import logger as logger
from shared.tables.database import Database

Outcome = ModelPromoted | ModelRejected
LOADS = "artefact_loads"
OVERRIDE = "Override it if it should serve despite that."
NOT_THERE = (
    "Choose another version (`pappus history`), or train a new one (`pappus train`): of candidates that never served"
    " only the newest are kept."
)


@dataclass(frozen=True)
class GateContext:
    """What both kinds of cases need: the tables, the evaluator, the clock."""

    database: Database
    evaluator: Evaluator
    clock: Clock
    approval: Approval = "automatic"
    trial: TrialSettings = field(default_factory=TrialSettings)

    @cached_property
    def models(self) -> KnownModels:
        """The candidates of these tables."""
        return KnownModels(self.database)

    async def find_verdict(self, cause: Cause) -> Outcome | None:
        """Return the verdict on `cause` that counts; None if there is none."""
        return await queries.verdict_on(self.database, cause.event_id)

    def announce(self, decision: Decision, cause: Cause, champion: Champion | None) -> Outcome:
        """Return the decision as an event, and count it."""
        verdict = make_verdict_event(decision, cause, champion, self.clock())
        VERDICTS.labels(verdict.topic).inc()
        for rule in verdict.verdict:
            RULES.labels(rule.rule, rule.outcome).inc()
        logger.info("verdict", version=verdict.version, kind=verdict.topic, summary=verdict.summary)
        return verdict

    async def evaluate(self, candidate: ModelTrained, champion: Champion | None) -> Decision:
        """Return the decision on the model itself, whether or not promotions are frozen.

        Raises:
            ChampionLost: there is no verdict without the champion.
            TransientError: a dependency did not answer.
        """
        try:
            anchor = await self.models.anchor()
            evaluation = await self.evaluator.evaluate(candidate, champion, anchor)
        except ModelLoadError as error:
            return Reject(candidate.version, f"Rejected: {error}", (rule_outcome(LOADS, False, str(error)),))
        verdict = evaluation.verdict
        if verdict.route is None:
            return Reject(candidate.version, verdict.summary, verdict.rules, evaluation.set_aside, evaluation.evidence)
        frozen = champion is not None and champion.frozen
        return Promote(candidate, verdict.route, verdict.summary, frozen, verdict.rules, evaluation.evidence)


@dataclass(frozen=True)
class CandidateCase:
    """May this candidate serve, or be tried first?"""

    context: GateContext
    candidate: ModelTrained

    async def read_state(self) -> Champion | None:
        """Return the champion, whose sequence plus one is the number of the verdict; None before the first."""
        return await self.context.models.champion()

    async def find_outcome(self) -> Outcome | TrialStarted | None:
        """See Case. An operator may have been faster and promoted it. Once it is tried, its verdict is that of the
        trial (`TrialCase`)."""
        found = await self.context.find_verdict(self.candidate)
        found = found or await queries.first_promotion_of(self.context.database, self.candidate.version)
        return found or await trials.trial_of(self.context.database, self.candidate.event_id)

    async def decide(self, state: Champion | None) -> Outcome | TrialStarted:
        """See Case."""
        decision = await self.judge(state)
        trial = start_trial(decision, self.candidate, state, self.context.trial, self.context.clock())
        if trial is None:
            return self.context.announce(ask_first(decision, self.context.approval), self.candidate, state)
        TRIALS.labels("started").inc()
        logger.info("trial", version=trial.version, mode=trial.mode, share=trial.share, ends_at=str(trial.ends_at))
        return trial

    async def judge(self, champion: Champion | None) -> Decision:
        """Return what the gate would decide now, if neither a trial nor an operator came before. Raises as
        `GateContext.evaluate`."""
        candidate = self.candidate
        late = reason_if_superseded(candidate, champion)
        if late is not None:
            return Reject(candidate.version, f"Rejected: {late}", (rule_outcome("parent_serves", False, late),))
        frozen = await self._reason_if_frozen(champion)
        decision = await self.context.evaluate(candidate, champion)
        if frozen is None:
            return decision
        rules = (*decision.rules, rule_outcome("promotions_open", False, frozen))
        said = f"{decision.summary} {frozen}"
        if isinstance(decision, Promote):
            said = f"Rejected: {frozen} It would have passed, so it can be approved."
        return Reject(candidate.version, said, rules, evidence=decision.evidence)

    async def _reason_if_frozen(self, champion: Champion | None) -> str | None:
        """Return the sentence that promotions are frozen, by whom and why; None if they are not."""
        if champion is None or not champion.frozen:
            return None
        by = await queries.freezing_promotion(self.context.database) or champion.promotion
        return reason_frozen(by.summary)


@dataclass(frozen=True)
class RequestCase:
    """Is this request of an operator granted?"""

    context: GateContext
    request: PromotionRequested

    async def read_state(self) -> Champion | None:
        """See CandidateCase."""
        return await self.context.models.champion()

    async def find_outcome(self) -> Outcome | None:
        """See Case."""
        return await self.context.find_verdict(self.request)

    async def decide(self, state: Champion | None) -> Outcome:
        """See Case."""
        return self.context.announce(await self._decide(state), self.request, state)

    async def _decide(self, champion: Champion | None) -> Decision:
        version = self.request.version
        target = None if version is None else await queries.model(self.context.database, version)
        match plan_request(self.request, RequestContext(champion, target)):
            case RequiresLoad(wanted):
                decision = await self._require_load(wanted)
            case RequiresEvaluation(wanted):
                decision = await self._require_evaluation(wanted, champion)
            case Promote() | Reject() as decided:
                return decided
        if isinstance(decision, Promote) and decision.route != "rollback":  # what served before is not deleted
            await self.context.evaluator.put_again(decision.model)
        return decision

    async def _require_load(self, wanted: Promote) -> Decision:
        model = wanted.model
        try:
            probed = await self.context.evaluator.run_smoke_test(model)
        except ModelLoadError as error:
            rules = (rule_outcome(LOADS, False, str(error)),)
            advice = "" if wanted.route == "rollback" else f" {NOT_THERE}"
            return Reject(model.version, f"Rejected: {error} The current model stays in service.{advice}", rules)
        sentence = f"{model.version} loads and answers in {probed.milliseconds:.1f} ms."
        return Promote(model, wanted.route, wanted.summary, wanted.frozen, (rule_outcome(LOADS, True, sentence),))

    async def _require_evaluation(self, wanted: Promote, champion: Champion | None) -> Decision:
        model = wanted.model
        late = reason_if_superseded(model, champion)
        if late is not None:
            return Reject(model.version, f"Rejected: {late}", (rule_outcome("parent_serves", False, late),))
        try:
            decision = await self.context.evaluate(model, champion)
        except ChampionLost as error:  # the operator gets an answer: the next request may be the remedy
            rules = (rule_outcome("champion_loads", False, str(error)),)
            return Reject(model.version, f"Rejected: {error}", rules)
        if isinstance(decision, Reject):
            lost = failed_rules(decision.rules) == [LOADS]
            summary = f"{decision.summary} {NOT_THERE if lost else OVERRIDE}"
            return Reject(model.version, summary, decision.rules, evidence=decision.evidence)
        return Promote(model, wanted.route, wanted.summary, wanted.frozen, decision.rules, decision.evidence)
