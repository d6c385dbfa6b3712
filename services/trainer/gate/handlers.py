"""The gate: it answers every candidate and every request with one verdict that counts."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.records import Champion
from services.trainer.gate.decisions.promotion_requests import (
    RequestContext,
    RequiresEvaluation,
    RequiresLoad,
    plan_request,
    reason_frozen,
    reason_if_superseded,
)
from services.trainer.gate.decisions.verdict_events import (
    Decision,
    Promote,
    Reject,
    make_verdict_event,
    rule_outcome,
)
from services.trainer.gate.evaluator import ChampionLost, Evaluator
from services.trainer.gate.metrics import VERDICT_SECONDS, VERDICTS
from services.trainer.gate.model_loader import ModelLoadError
from services.trainer.settings import TrainerSettings
from shared.contract.events import Event, ModelTrained, PromotionRequested
from shared.messaging.event_log import EventLog, Publisher
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger as logger
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up, wait_until_projected

GROUP = "trainer-gate"
MOST_DECISIONS = 5

Decide = Callable[[Champion | None], Awaitable[Decision]]


class GateHandlers:
    """Handles model.trained and promotion.requested, one after the other. It publishes by itself, because it has to
    look at what became of its event: the log decides races, and a verdict that lost one is decided again."""

    def __init__(
        self,
        event_log: EventLog,
        database: Database,
        publisher: Publisher,
        evaluator: Evaluator,
        settings: TrainerSettings,
        clock: Clock,
    ) -> None:
        self._event_log = event_log
        self._database = database
        self._publisher = publisher
        self._evaluator = evaluator
        self._settings = settings
        self._clock = clock

    async def on_model_trained(self, event: ModelTrained) -> Sequence[Event]:
        """Promote or reject a candidate, against the champion of this moment."""
        with VERDICT_SECONDS.time():
            await asyncio.gather(self._wait_for_tables(), self._evaluator.fetch(event))
            row = await queries.model(self._database, event.version)
            if row is None or not row.promoted:  # else a person was faster and approved it
                await self._settle(event, partial(self._judge, event))
        return ()

    async def on_promotion_requested(self, event: PromotionRequested) -> Sequence[Event]:
        """Do what a person asks for, or refuse it with the reason."""
        await self._wait_for_tables()
        await self._settle(event, partial(self._answer, event))
        return ()

    async def _wait_for_tables(self) -> None:
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._settings.caught_up_seconds)

    async def _settle(self, cause: ModelTrained | PromotionRequested, decide: Decide) -> None:
        """Decide and publish until a verdict on `cause` counts; at once if there is one.

        Raises:
            TransientError: other promotions got the number first, again and again.
        """
        for _ in range(MOST_DECISIONS):
            known, champion = await asyncio.gather(
                queries.verdict_on(self._database, cause.event_id), queries.champion(self._database)
            )
            if known is not None:
                return
            decision = await decide(champion)
            verdict = make_verdict_event(decision, cause, champion, self._clock())
            published = await self._publisher.publish([verdict])
            VERDICTS.labels(verdict.topic).inc()
            logger.info("verdict", version=verdict.version, kind=verdict.topic, summary=verdict.summary)
            await wait_until_projected(self._database, published, self._settings.verdict_seconds)
        if await queries.verdict_on(self._database, cause.event_id) is None:
            raise TransientError(
                f"After {MOST_DECISIONS} decisions none on {cause.event_id} counts: are two gates running?"
            )

    async def _judge(self, candidate: ModelTrained, champion: Champion | None) -> Decision:
        late = reason_if_superseded(candidate, champion)
        if late is not None:
            return Reject(candidate.version, f"Rejected: {late}", (rule_outcome("parent_serves", False, late),))
        frozen = await self._reason_if_frozen(champion)
        decision = await self._evaluate(candidate, champion)
        if frozen is None:
            return decision
        rules = (*decision.rules, rule_outcome("promotions_open", False, frozen))
        if isinstance(decision, Reject):
            return Reject(candidate.version, f"{decision.summary} {frozen}", rules)
        return Reject(candidate.version, f"Rejected: {frozen} It would have passed, so it can be approved.", rules)

    async def _evaluate(self, candidate: ModelTrained, champion: Champion | None) -> Decision:
        """What the gate thinks of the model itself."""
        try:
            anchor = await queries.anchor(self._database)
            evaluation = await self._evaluator.evaluate(candidate, champion, anchor)
        except ModelLoadError as error:
            return Reject(candidate.version, f"Rejected: {error}", (rule_outcome("artefact_loads", False, str(error)),))
        verdict = evaluation.verdict
        if verdict.route is None:
            return Reject(candidate.version, verdict.summary, verdict.rules, evaluation.set_aside)
        frozen = champion is not None and champion.frozen
        return Promote(candidate, verdict.route, verdict.summary, frozen, verdict.rules)

    async def _reason_if_frozen(self, champion: Champion | None) -> str | None:
        """The sentence that promotions are frozen, by whom and why; None if they are not."""
        if champion is None or not champion.frozen:
            return None
        by = await queries.freezing_promotion(self._database) or champion.promotion
        return reason_frozen(by.summary)

    async def _answer(self, request: PromotionRequested, champion: Champion | None) -> Decision:
        target = None if request.version is None else await queries.model(self._database, request.version)
        match plan_request(request, RequestContext(champion, target)):
            case RequiresLoad(decision):
                return await self._require_load(decision)
            case RequiresEvaluation(decision):
                return await self._require_evaluation(decision, champion)
            case Promote() | Reject() as decision:
                return decision

    async def _require_load(self, wanted: Promote) -> Decision:
        model = wanted.model
        try:
            probed = await self._evaluator.run_smoke_test(model)
        except ModelLoadError as error:
            rules = (rule_outcome("artefact_loads", False, str(error)),)
            return Reject(model.version, f"Refused: {error} What serves now goes on.", rules)
        sentence = f"{model.version} loads and answers in {probed.milliseconds:.1f} ms."
        return Promote(
            model, wanted.route, wanted.summary, wanted.frozen, (rule_outcome("artefact_loads", True, sentence),)
        )

    async def _require_evaluation(self, wanted: Promote, champion: Champion | None) -> Decision:
        model = wanted.model
        late = reason_if_superseded(model, champion)
        if late is not None:
            return Reject(model.version, f"Refused: {late}", (rule_outcome("parent_serves", False, late),))
        try:
            decision = await self._evaluate(model, champion)
        except ChampionLost as error:  # a person gets an answer: what they ask for next may be the remedy
            rules = (rule_outcome("champion_loads", False, str(error)),)
            return Reject(model.version, f"Refused: {error}", rules)
        if isinstance(decision, Reject):
            summary = f"{decision.summary} Override it if it should serve despite that."
            return Reject(model.version, summary, decision.rules)
        return Promote(model, wanted.route, wanted.summary, wanted.frozen, decision.rules)
