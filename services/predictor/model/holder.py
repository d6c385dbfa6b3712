"""The reference to the model that answers."""

import asyncio
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


class ModelHolder:
    """Holds what is serving. Swapping is one assignment; a request reads `current` once."""

    def __init__(self) -> None:
        self.current: ServingModel | None = None
        self._arrived = asyncio.Event()

    def swap(self, serving: ServingModel) -> None:
        """Let `serving` answer every request that begins from now on."""
        self.current = serving
        self._arrived.set()

    async def wait(self) -> None:
        """Wait until there is a model. From then on there always is one."""
        await self._arrived.wait()
