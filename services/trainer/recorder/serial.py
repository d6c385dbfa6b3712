"""One call to the registry at a time."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from services.trainer.recorder.model_registry import ModelRegistry
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained


class SerialRegistry:
    """A `ModelRegistry` for concurrent callers. The registry finds a run by its version, and creates it if there is
    none; two concurrent callers would both find none. `lock` opens what keeps other processes from doing so."""

    def __init__(
        self, registry: ModelRegistry, lock: Callable[[], AbstractAsyncContextManager[object]] = nullcontext
    ) -> None:
        self._registry = registry
        self._turn = asyncio.Lock()
        self._lock = lock

    async def record_training(self, trained: ModelTrained) -> str:
        """See ModelRegistry."""
        async with self._turn, self._lock():
            return await self._registry.record_training(trained)

    async def record_verdict(self, verdict: ModelPromoted | ModelRejected) -> None:
        """See ModelRegistry."""
        async with self._turn:
            await self._registry.record_verdict(verdict)

    async def set_champion(self, trained: ModelTrained, artefact: bytes | None) -> None:
        """See ModelRegistry."""
        async with self._turn:
            await self._registry.set_champion(trained, artefact)

    async def champion(self, model_name: str) -> str | None:
        """See ModelRegistry."""
        async with self._turn:
            return await self._registry.champion(model_name)
