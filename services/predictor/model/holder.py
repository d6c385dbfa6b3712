"""The reference to the model that answers."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.predictor.model.onnx_model import Model
from shared.contract.events import ModelPromoted


@dataclass(frozen=True, slots=True)
class ServingModel:
    """A model and the promotion it serves for: read together, so an answer and its version belong together."""

    promotion: ModelPromoted
    model: Model
    loaded_at: datetime

    @property
    def full_model_sha256(self) -> str:
        """The sha256 of the whole artefact that answers: a layer alone names it, and every other artefact is one."""
        base = self.model.metadata.base
        return self.promotion.artefact_sha256 if base is None else base.sha256


class ModelHolder:
    """Holds what is serving. Swapping is one assignment; a request reads `current` once."""

    def __init__(self) -> None:
        self.current: ServingModel | None = None
        self._arrived = asyncio.Event()
        self._swapped = asyncio.Event()

    def swap(self, serving: ServingModel) -> None:
        """Let `serving` answer every request that begins from now on."""
        self.current = serving
        self._arrived.set()
        swapped, self._swapped = self._swapped, asyncio.Event()
        swapped.set()

    async def wait(self) -> None:
        """Wait until there is a model. From then on there always is one."""
        await self._arrived.wait()

    async def wait_for_other(self, version: str, timeout_seconds: float) -> None:
        """Wait while this version serves, `timeout_seconds` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self.current is not None and self.current.promotion.version == version:
                    await self._swapped.wait()
