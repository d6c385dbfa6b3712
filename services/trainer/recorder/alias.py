"""A reconciler that keeps the alias `champion` of the registry at the model in service.

It reads the tables, never the message that woke it, so neither a late message nor a restart can point the alias to a
former champion.
"""

from services.trainer.recorder.model_registry import ModelRegistry
from services.trainer.recorder.models import ModelTable
from shared.runtime.telemetry import logger

PART = "alias"


class Alias:
    """Moves the alias; calls the registry only at the start and after a promotion."""

    def __init__(self, registry: ModelRegistry, models: ModelTable) -> None:
        self._registry = registry
        self._models = models
        self._known: str | None = None

    async def reconcile(self) -> None:
        """Point the alias to the champion. Raises TransientError while log, tables or registry are away."""
        champion = await self._models.champion()
        if champion is None or champion.version == self._known:
            return
        model = champion.model
        if await self._registry.champion(model.model_name) != model.version:
            await self._registry.record_training(model)
            await self._registry.set_champion(model.model_name, model.version)
            logger.info("the alias points to the champion", version=model.version, sequence=champion.sequence)
        self._known = model.version
