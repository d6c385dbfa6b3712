"""model.trained, model.promoted, model.rejected -> runs and versions in the model registry, for people to look at.

A verdict may come before its training does, since they stand on different topics: the training is then taken from the
tables, so nothing ever waits for a message that stands behind it.
"""

from collections.abc import Sequence

from services.trainer.recorder.model_registry import ModelRegistry
from services.trainer.recorder.models import ModelTable
from shared.contract.events import Event, ModelPromoted, ModelRejected, ModelTrained
from shared.messaging.handler import Subscription, subscribe
from shared.runtime.telemetry import logger


class Recorder:
    """Copies the log into the registry. The log stays the truth, so everything may be copied again."""

    def __init__(self, registry: ModelRegistry, models: ModelTable) -> None:
        self._registry = registry
        self._models = models

    @property
    def subscriptions(self) -> list[Subscription]:
        """Which event goes to which handler."""
        return [
            subscribe(ModelTrained, self.on_model_trained),
            subscribe(ModelPromoted, self.on_model_promoted),
            subscribe(ModelRejected, self.on_model_rejected),
        ]

    async def on_model_trained(self, event: ModelTrained) -> Sequence[Event]:
        """A run and a registered version for the candidate."""
        await self._registry.record_training(event)
        return []

    async def on_model_promoted(self, event: ModelPromoted) -> Sequence[Event]:
        """The verdict, if it counts: of two promotions with one sequence the log's first one does."""
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
        """The verdict on a candidate. A refused request is no verdict on the version it names."""
        row = await self._models.find(event.version) if event.version is not None else None
        if row is None or row.rejected is None or row.rejected.event_id != event.event_id:
            return []
        await self._registry.record_training(row.trained)
        await self._registry.record_verdict(event)
        return []
