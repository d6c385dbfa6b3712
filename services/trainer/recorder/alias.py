"""The alias `champion` in the registry points to the model in service.

A reconciler: it looks at the tables, never at the message that woke it, so neither a late message nor a restart can
point it to a former champion.
"""

from collections.abc import Sequence

from services.trainer.recorder.model_registry import ModelRegistry
from services.trainer.recorder.models import ModelTable
from shared.contract.events import Event
from shared.runtime.telemetry import logger

PART = "alias"


class Alias:
    """Moves the alias; asks the registry only at the start and after a promotion."""

    def __init__(self, registry: ModelRegistry, models: ModelTable) -> None:
        self._registry = registry
        self._models = models
        self._known: str | None = None

    async def reconcile(self) -> Sequence[Event]:
        """Nothing to publish. Raises TransientError while log, tables or registry are away."""
        champion = await self._models.champion()
        if champion is None or champion.version == self._known:
            return []
        model = champion.model
        if await self._registry.champion(model.model_name) != model.version:
            await self._registry.record_training(model)
            await self._registry.set_champion(model.model_name, model.version)
            logger.info("the alias points to the champion", version=model.version, sequence=champion.sequence)
        self._known = model.version
        return []
