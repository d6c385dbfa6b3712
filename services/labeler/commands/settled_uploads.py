"""Uploads that are settled are deleted: the ingestor keeps the bytes of stored images under their own key.

It looks at the objects first, then waits until the tables show the whole log, then reads them again, and deletes
exactly the versions of the objects that it saw. A command registers an upload within seconds after it put the bytes: so
what was put longer ago is registered, and what is put meanwhile is another version, which stays.
"""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta

from services.labeler.queries.uploads import mark_swept, settled_uploads
from services.labeler.settings import LabelerSettings
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored, ImageWithdrawn
from shared.messaging.event_log import EventLog
from shared.runtime.clock import Clock
from shared.runtime.health import Health
from shared.runtime.metrics import SWEPT_BYTES, SWEPT_OBJECTS
from shared.runtime.telemetry import logger
from shared.storage.object_store import KeptObject, ObjectStore
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up
from shared.tables.same_log import check_same_log
from shared.tables.single_worker import run_in_one_process

PART = "upload sweeper"
PREFIX = "uploads/"
TOPICS = tuple(event.topic for event in (ImageRegistered, ImageStored, ImageRejected, ImageWithdrawn))
AT_ONCE = 100
CAUGHT_UP_SECONDS = 60.0


class SettledUploads:
    """Deletes objects of uploads that no registration needs."""

    def __init__(
        self, event_log: EventLog, database: Database, store: ObjectStore, settings: LabelerSettings, clock: Clock
    ) -> None:
        self._event_log = event_log
        self._database = database
        self._store = store
        self._settings = settings
        self._clock = clock

    async def run(self, health: Health) -> None:
        """Sweep now and every `sweep_hours` until cancelled, in one process of all. Raises PappusError as
        `sweep`."""
        if not self._settings.sweep_hours:
            return

        async def work() -> None:
            while True:
                deleted = await self.sweep()
                health.set(PART, True, f"deleted {deleted} uploads that are settled")
                await asyncio.sleep(self._settings.sweep_hours * 3600)

        silence = self._settings.writer_silence_seconds
        await run_in_one_process(work, database=self._database, health=health, name=PART, silence_seconds=silence)

    async def sweep(self) -> int:
        """Delete what is settled, and return how many objects.

        Raises:
            TransientError: a dependency did not answer; the next sweep does the rest.
            PappusError: the store refuses, or the log was replaced.
        """
        before = self._clock() - timedelta(hours=self._settings.uploads_kept_hours)
        await check_same_log(self._event_log, self._database, TOPICS)
        deleted, after = 0, ""
        try:
            while keys := await settled_uploads(self._database, before, AT_ONCE, after):
                deleted += await self._delete(keys, before)
                after = [*keys][-1]
        finally:
            logger.info("swept", prefix=PREFIX, deleted=deleted)
        return deleted

    async def _delete(self, keys: Collection[str], before: datetime) -> int:
        """Delete those of these objects that are still settled, and were not put after `before`."""
        listed = {key: await self._find(key) for key in keys}
        await wait_until_caught_up(self._event_log, self._database, TOPICS, CAUGHT_UP_SECONDS)
        settled = await settled_uploads(self._database, before, AT_ONCE, among=keys)
        deleted = 0
        for key, settled_at in settled.items():
            kept = listed[key]
            if kept is not None:
                if kept.modified_at > before or not await self._store.discard(kept):
                    continue
                deleted += 1
                SWEPT_OBJECTS.labels(PREFIX).inc()
                SWEPT_BYTES.labels(PREFIX).inc(kept.size_bytes)
            await mark_swept(self._database, key, settled_at)
        return deleted

    async def _find(self, key: str) -> KeptObject | None:
        return next((kept for kept in await self._store.list_objects(key) if kept.key == key), None)
