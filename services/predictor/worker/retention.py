"""Deletes what is old: predictions and batches from the tables, as Kafka deletes them from the topics, and the bytes
that were sent to be answered later."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from services.predictor.data.batch_fold import delete_batches_before
from services.predictor.data.prediction_days import keep_days
from services.predictor.data.projection import find_withdrawn_bytes
from services.predictor.decisions.batches import PREFIX
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger
from shared.storage.object_store import KeptObject
from shared.tables.database import Database

EVERY_SECONDS = 3600.0
FOLDERS = tuple(f"{PREFIX}/{first:02x}/" for first in range(256))
"""Where bytes lie, by the beginning of their hash: one is looked through after another, so that a list of a million
images is never in memory."""


class ErasableStore(Protocol):
    """Where the bytes are; every `ObjectStore` is one."""

    async def list_objects(self, prefix: str) -> list[KeptObject]:
        """See ObjectStore."""

    async def discard(self, listed: KeptObject) -> bool:
        """See ObjectStore."""


class Retention:
    """Once an hour makes the tables of the days to come, and deletes what is older than `days`, predictions by whole
    days; bytes of images that people took back, too."""

    def __init__(self, database: Database, store: ErasableStore, days: int, clock: Clock = utc_now) -> None:
        self._database = database
        self._store = store
        self._days = days
        self._clock = clock

    async def run(self) -> None:
        """Delete until cancelled. While PostgreSQL or the object store is away, all waits for the next hour."""
        while True:
            try:
                await self.delete_old()
            except TransientError as error:
                logger.warning("old predictions could not be dropped", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def delete_old(self) -> None:
        """Delete what is old now, and make the tables of the days to come. Raises TransientError."""
        now = self._clock()
        found = await keep_days(self._database, now, self._days)
        moment = now - timedelta(days=self._days)
        images = await delete_batches_before(self._database, moment)
        objects = await self._delete_bytes(moment)
        logger.info(
            "old predictions deleted",
            days=[str(day) for day in found.dropped],
            made=[str(day) for day in found.made],
            rows=found.rows,
            images_of_batches=images,
            objects=objects,
        )

    async def _delete_bytes(self, moment: datetime) -> int:
        """Delete bytes that were sent last before `moment`. Those that are sent again at this time stay."""
        return sum([await self._delete_of_folder(folder, moment) for folder in FOLDERS])

    async def _delete_of_folder(self, folder: str, moment: datetime) -> int:
        listed = await self._store.list_objects(folder)
        taken_back = await find_withdrawn_bytes(self._database, [_sha256_of(each) for each in listed])
        old = [each for each in listed if each.modified_at < moment or _sha256_of(each) in taken_back]
        return sum([await self._store.discard(each) for each in old])


def _sha256_of(listed: KeptObject) -> str:
    return listed.key.rpartition("/")[2]
