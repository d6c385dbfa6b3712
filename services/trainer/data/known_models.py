"""Candidates by version, in memory: what was announced about a version stays, and with thousands of corrections it
takes milliseconds to read."""

from collections.abc import Sequence

from cachetools import LRUCache

from services.trainer.data import queries
from services.trainer.dataset.records import Champion
from shared.contract.events import AppliedCorrection, ModelTrained
from shared.tables.database import Database

KEPT = 16


class KnownModels:
    """Answers as `queries` does, and reads each candidate once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trained: LRUCache[str, ModelTrained] = LRUCache(KEPT)
        self._held: LRUCache[str, tuple[AppliedCorrection, ...]] = LRUCache(KEPT)
        """What candidates hold, which their version stands for: also of those that are not in the tables yet."""

    async def trained(self, version: str) -> ModelTrained:
        """See `queries.trained`."""
        if (known := self._trained.get(version)) is None:
            announced = await queries.trained(self._database, version, as_announced=True)
            self._trained[version] = known = await self.completed(announced)
        return known

    async def completed(self, event: ModelTrained) -> ModelTrained:
        """Return what a record announced with its corrections listed. Raises NotReady if its parent is not folded
        yet."""
        complete = event
        if event.corrections is None:
            held = self._held.get(event.version)
            if held is None:
                complete = event.completed(await self._held_by(str(event.parent)))
            else:
                complete = event.model_copy(update={"corrections": held})
        self._held[event.version] = complete.held
        return complete

    async def _held_by(self, version: str) -> Sequence[AppliedCorrection]:
        held = self._held.get(version)
        return await queries.held_corrections(self._database, version) if held is None else held

    async def champion(self) -> Champion | None:
        """See `queries.champion`."""
        promotion = await queries.promotion(self._database)
        return None if promotion is None else Champion(promotion, await self.trained(promotion.version))

    async def anchor(self) -> ModelTrained | None:
        """See `queries.anchor`."""
        version = await queries.anchor_version(self._database)
        return None if version is None else await self.trained(version)
