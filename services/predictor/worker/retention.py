"""Deletes old predictions from the table, as Kafka deletes them from the topic."""

import asyncio
from datetime import timedelta

from services.predictor.data.projection import delete_before
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger
from shared.tables.database import Database

EVERY_SECONDS = 3600.0


class Retention:
    """Deletes predictions older than `days`, once an hour."""

    def __init__(self, database: Database, days: int, clock: Clock = utc_now) -> None:
        self._database = database
        self._kept = timedelta(days=days)
        self._clock = clock

    async def run(self) -> None:
        """Delete until cancelled. While PostgreSQL is away, rows wait for the next hour."""
        while True:
            try:
                deleted = await delete_before(self._database, self._clock() - self._kept)
                logger.info("old predictions deleted", rows=deleted)
            except TransientError as error:
                logger.warning("old predictions could not be deleted", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)
