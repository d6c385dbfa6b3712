"""The handlers of model.trained, model.promoted and model.rejected: they write runs and versions to the registry.

A verdict may arrive before its training, since they are on different topics: the training is then read from the tables,
so no handler waits for a message behind its own.
"""

from collections.abc import Sequence

from services.trainer.recorder.model_registry import ModelRegistry
from services.trainer.recorder.models import ModelTable
from shared.contract.events import Event, ModelPromoted, ModelRejected, ModelTrained
from shared.messaging.handler import Subscription, subscribe
from shared.runtime.telemetry import logger


class Recorder:
    """Copies the log into the registry. The log stays the truth, so every event may be copied again."""

    def __init__(self, registry: ModelRegistry, models: ModelTable) -> None:
        self._registry = registry
        self._models = models

    @property
    def subscriptions(self) -> list[Subscription]:
        """The handler of each event."""
        return [
            subscribe(ModelTrained, self.on_model_trained),
            subscribe(ModelPromoted, self.on_model_promoted),
            subscribe(ModelRejected, self.on_model_rejected),
        ]

    async def on_model_trained(self, event: ModelTrained) -> Sequence[Event]:
        """Record a run and a registered version for the candidate."""
        await self._registry.record_training(event)
        return []

    async def on_model_promoted(self, event: ModelPromoted) -> Sequence[Event]:
        """Record the verdict, if it counts: of two promotions with one sequence the first one in the log counts."""
        row = await self._models.find(event.version)
        if row is None or event.sequence not in row.promoted:
            logger.info(
                "a promotion does not count and is not recorded", version=event.version, sequence=event.sequence
            )
            return []
        await self._registry.record_training(row.trained)
        await self._registry.record_verdict(event)
        return []

    async def on_model_rejected(self, event: ModelRejected) -> Sequence[Event]:
        """Record the verdict on a candidate. A refused request is not a verdict on the version it names."""
        row = await self._models.find(event.version) if event.version is not None else None
        if row is None or row.rejected is None or row.rejected.event_id != event.event_id:
            return []
        await self._registry.record_training(row.trained)
        await self._registry.record_verdict(event)
        return []
