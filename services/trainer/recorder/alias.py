"""A reconciler that keeps the alias `champion` of the registry at the model in service.

It reads the tables, never the message that woke it, so neither a late message nor a restart can point the alias to a
former champion. The version that it points to is loadable: its files are stored first.
"""

import asyncio

from cachetools import LRUCache

from services.trainer.data.artefacts import load_artefact
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.recorder.model_registry import ModelRegistry
from services.trainer.recorder.models import ModelTable
from shared.contract.events import ModelTrained
from shared.runtime.errors import InvalidMessage
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing
from shared.storage.verified import HashMismatch, ReadableStore

PART = "alias"


class Alias:
    """Moves the alias; calls the registry only at the start and after a promotion. `store` holds the artefacts."""

    def __init__(self, registry: ModelRegistry, models: ModelTable, store: ReadableStore) -> None:
        self._registry = registry
        self._models = models
        self._store = store
        self._known: str | None = None
        self._bases: LRUCache[str, Artefact] = LRUCache(1)

    async def reconcile(self) -> None:
        """Point the alias to the champion. Raises TransientError while log, tables, registry or object store are
        away."""
        champion = await self._models.champion()
        if champion is None or champion.version == self._known:
            return
        model = champion.model
        if await self._registry.champion(model.model_name) != model.version:
            await self._registry.record_training(model)
            await self._registry.set_champion(model, await self._artefact(model))
            logger.info("the alias points to the champion", version=model.version, sequence=champion.sequence)
        self._known = model.version

    async def _artefact(self, model: ModelTrained) -> bytes | None:
        try:
            artefact = await load_artefact(self._store, model, self._bases)
            return await asyncio.to_thread(artefact.whole)  # MLflow knows nothing of layers that need a base
        except (ObjectMissing, HashMismatch, InvalidMessage) as lost:
            logger.warning("the champion cannot be loaded from MLflow", version=model.version, reason=str(lost))
            return None
