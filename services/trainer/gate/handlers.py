"""The gate: every candidate and every request gets one verdict that counts."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.gate.cases import CandidateCase, GateContext, RequestCase
from services.trainer.gate.evaluator import ChampionLost
from services.trainer.gate.metrics import VERDICT_SECONDS
from services.trainer.settings import TrainerSettings
from shared.contract.events import Event, ModelTrained, PromotionRequested
from shared.contract.trials import TrialCompared, TrialStarted
from shared.messaging.event_log import EventLog, Publisher
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.errors import NotReady, TransientError
from shared.runtime.health import Health
from shared.tables.decider import run_decider
from shared.tables.projection import wait_until_caught_up

SOURCE = "pappus/trainer-gate"
GROUP = "trainer-gate"
"""Candidates of the fast lane, and requests that only need a model to load."""
FULL_GROUP = "trainer-gate-full"
"""Full candidates, and requests that have one measured."""
BESIDE_CANDIDATES = tuple(
    topic for topic in TOPICS if topic not in (ModelTrained.topic, TrialStarted.topic, TrialCompared.topic)
)
"""What a candidate of the fast lane is judged by. Itself it comes with its event: that the tables show it, too, is not
waited for. Trials are of full candidates."""
QUICK_AT_ONCE = 2
"""A candidate of the fast lane and a request: neither waits for the other."""


class GateHandlers:
    """Handles model.trained and promotion.requested, either what is quick or (`full`) what takes long: each kind in its
    own consumer group, so that minutes of measuring hold up no correction and no rollback. Which promotion counts, the
    sequence decides. It is a decider: what it returns is empty, since `run_decider` has published the verdict and seen
    that it counts."""

    def __init__(
        self, event_log: EventLog, publisher: Publisher, context: GateContext, settings: TrainerSettings, full: bool
    ) -> None:
        self._event_log = event_log
        self._publisher = publisher
        self._context = context
        self._settings = settings
        self._full = full

    async def on_model_trained(self, event: ModelTrained) -> Sequence[Event]:
        """Promote or reject a candidate, against the champion of this moment, or begin its trial."""
        if (event.lane == "full") != self._full:
            return ()
        with VERDICT_SECONDS.time():
            candidate = await self._completed(event)
            case = CandidateCase(self._context, candidate)
            if self._full:
                await self._wait_for_tables()
                if await case.find_outcome() is None:
                    await self._measure(candidate)
            else:
                await asyncio.gather(self._wait_for_tables(BESIDE_CANDIDATES), self._context.evaluator.fetch(candidate))
            await self._decide(case)
        return ()

    async def on_promotion_requested(self, event: PromotionRequested) -> Sequence[Event]:
        """Grant what an operator asks for, or reject it with the reason."""
        if (event.action == "approve") != self._full:
            return ()
        await self._wait_for_tables()
        case = RequestCase(self._context, event)
        if event.action == "approve" and event.version is not None and await case.find_outcome() is None:
            row = await queries.model(self._context.database, event.version)
            if row is not None:
                with suppress(ChampionLost):  # the answer says so
                    await self._measure(row.trained)
        await self._decide(case)
        return ()

    async def _completed(self, event: ModelTrained) -> ModelTrained:
        try:
            return await self._context.models.completed(event)
        except NotReady:  # its parent was promoted, so the log has it
            await self._wait_for_tables()
            return await self._context.models.completed(event)

    async def _measure(self, candidate: ModelTrained) -> None:
        """Do what takes long before the state is read that the decision depends on: then hardly a promotion comes in
        between, after which it would be made again."""
        champion, anchor = await self._context.models.champion(), await self._context.models.anchor()
        await self._context.evaluator.prefetch(champion, anchor, candidate)

    async def run(self, health: Health) -> None:
        """Handle events as a member of the group until cancelled, as `run_handlers` does, whose publisher sends dead
        letters only: the gate publishes through `run_decider`."""
        handling = run_handlers(
            self._event_log,
            group=FULL_GROUP if self._full else GROUP,
            source=SOURCE,
            subscriptions=[
                subscribe(ModelTrained, self.on_model_trained),
                subscribe(PromotionRequested, self.on_promotion_requested),
            ],
            health=health,
            concurrency=1 if self._full else QUICK_AT_ONCE,
            **self._settings.in_groups,
        )
        await asyncio.gather(self._ask_first(), handling)

    async def _ask_first(self) -> None:
        """Ask what the first event will ask, which takes half a second while no connection is open."""
        with suppress(TransientError):
            await self._wait_for_tables()

    async def _wait_for_tables(self, topics: Sequence[str] = TOPICS) -> None:
        await wait_until_caught_up(self._event_log, self._context.database, topics, self._settings.caught_up_seconds)

    async def _decide(self, case: CandidateCase | RequestCase) -> None:
        await run_decider(
            case,
            publisher=self._publisher,
            database=self._context.database,
            projected_seconds=self._settings.verdict_seconds,
        )
