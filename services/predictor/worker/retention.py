"""Old predictions leave the table, as they leave their topic."""

import asyncio
from datetime import timedelta

from services.predictor.data.projection import forget_before
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
        """For ever. PostgreSQL away: the next hour will do."""
        while True:
            try:
                forgotten = await forget_before(self._database, self._clock() - self._kept)
                logger.info("old predictions deleted", rows=forgotten)
            except TransientError as error:
                logger.warning("old predictions could not be deleted", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)
