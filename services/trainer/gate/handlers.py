"""The gate: every candidate and every request gets one verdict that counts."""

import asyncio
from collections.abc import Sequence

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.gate.cases import CandidateCase, GateContext, RequestCase
from services.trainer.gate.metrics import VERDICT_SECONDS
from services.trainer.settings import TrainerSettings
from shared.contract.events import Event, ModelTrained, PromotionRequested
from shared.messaging.event_log import EventLog, Publisher
from shared.tables.decider import run_decider
from shared.tables.projection import wait_until_caught_up

GROUP = "trainer-gate"


class GateHandlers:
    """Handles model.trained and promotion.requested, one after the other. It is a decider: what it returns is empty,
    since `run_decider` has published the verdict and seen that it counts."""

    def __init__(
        self, event_log: EventLog, publisher: Publisher, context: GateContext, settings: TrainerSettings
    ) -> None:
        self._event_log = event_log
        self._publisher = publisher
        self._context = context
        self._settings = settings

    async def on_model_trained(self, event: ModelTrained) -> Sequence[Event]:
        """Promote or reject a candidate, against the champion of this moment."""
        with VERDICT_SECONDS.time():
            await asyncio.gather(self._wait_for_tables(), self._context.evaluator.fetch(event))
            row = await queries.model(self._context.database, event.version)
            if row is None or not row.promoted:  # else an operator was faster and approved it
                await self._decide(CandidateCase(self._context, event))
        return ()

    async def on_promotion_requested(self, event: PromotionRequested) -> Sequence[Event]:
        """Grant what an operator asks for, or reject it with the reason."""
        await self._wait_for_tables()
        await self._decide(RequestCase(self._context, event))
        return ()

    async def _wait_for_tables(self) -> None:
        await wait_until_caught_up(self._event_log, self._context.database, TOPICS, self._settings.caught_up_seconds)

    async def _decide(self, case: CandidateCase | RequestCase) -> None:
        await run_decider(
            case,
            publisher=self._publisher,
            database=self._context.database,
            projected_seconds=self._settings.verdict_seconds,
        )
