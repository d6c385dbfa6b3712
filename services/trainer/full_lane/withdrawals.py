"""image.withdrawn, model.trained -> nothing: the features that were kept of withdrawn images are deleted, and their
files on disk."""

import asyncio
from collections.abc import Collection, Sequence

from services.trainer.data import queries
from services.trainer.features.parquet import features_key, features_without
from services.trainer.full_lane.image_folder import ImageFolder
from shared.contract.events import Event, ImageWithdrawn, ModelTrained
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.health import Health
from shared.runtime.settings import GroupSettings
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing, ObjectStore
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up

GROUP = "trainer-withdrawals"
LOCK = "kept features"
CAUGHT_UP_SECONDS = 60.0


class WithdrawnFeatures:
    """Takes the rows of withdrawn images out of the files of features. A training that was under way may write such a
    row later, so the file of each full model is looked at once it is announced. A repetition finds nothing."""

    def __init__(self, event_log: EventLog, database: Database, store: ObjectStore, images: ImageFolder) -> None:
        self._event_log = event_log
        self._database = database
        self._store = store
        self._images = images

    async def run(self, source: str, health: Health, in_groups: GroupSettings) -> None:
        """Delete files of images that were withdrawn while this process was away, then handle events until
        cancelled."""
        self._images.remove(await queries.withdrawn_digests(self._database))
        await run_handlers(
            self._event_log,
            group=GROUP,
            source=source,
            subscriptions=[
                subscribe(ImageWithdrawn, self.on_image_withdrawn),
                subscribe(ModelTrained, self.on_model_trained),
            ],
            health=health,
            **in_groups,
        )

    async def on_image_withdrawn(self, event: ImageWithdrawn) -> Sequence[Event]:
        """Look through all kept features. Raises TransientError if a dependency does not answer."""
        self._images.remove({event.sha256})
        await self._erase(await self._store.keys("features/"))
        return []

    async def on_model_trained(self, event: ModelTrained) -> Sequence[Event]:
        """Look through what this training kept. Raises TransientError if a dependency does not answer."""
        if event.lane == "full":
            await self._erase([features_key(event.backbone_id, event.manifest_sha256)])
        return []

    async def _erase(self, keys: Sequence[str]) -> None:
        """Take the rows of all withdrawn images out of these files: one process at a time, since of two that write one
        file the second would bring back what the first took out."""
        await wait_until_caught_up(self._event_log, self._database, (ImageWithdrawn.topic,), CAUGHT_UP_SECONDS)
        async with self._database.lock(LOCK):
            gone = await queries.withdrawn_digests(self._database)
            for key in keys if gone else ():
                await self._erase_from(key, gone)

    async def _erase_from(self, key: str, gone: Collection[str]) -> None:
        try:
            data = await self._store.get(key)
            without = await asyncio.to_thread(features_without, data, gone)
        except (ObjectMissing, ValueError) as error:
            logger.warning("kept features cannot be read", key=key, reason=str(error))
            return
        if without is None:
            return
        await self._store.delete(key)  # with its versions; a file that is missing is computed again
        if without:
            await self._store.put(key, without, "application/vnd.apache.parquet")
