"""Candidates by version, in memory: what was announced about a version stays, and with thousands of corrections it
takes milliseconds to read."""

from cachetools import LRUCache

from services.trainer.data import queries
from services.trainer.dataset.records import Champion
from shared.contract.events import ModelTrained
from shared.tables.database import Database

KEPT = 16


class KnownModels:
    """Answers as `queries` does, and reads each candidate once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._trained: LRUCache[str, ModelTrained] = LRUCache(KEPT)

    async def trained(self, version: str) -> ModelTrained:
        """See `queries.trained`."""
        if (known := self._trained.get(version)) is None:
            self._trained[version] = known = await queries.trained(self._database, version)
        return known

    async def champion(self) -> Champion | None:
        """See `queries.champion`."""
        promotion = await queries.promotion(self._database)
        return None if promotion is None else Champion(promotion, await self.trained(promotion.version))

    async def anchor(self) -> ModelTrained | None:
        """See `queries.anchor`."""
        version = await queries.anchor_version(self._database)
        return None if version is None else await self.trained(version)
