"""Looks after the tables of batches: shows how many images wait, and numbers completions that a replay has folded
beyond the tables before it. Without a number no follower of a batch would hear of them; all others are numbered when
they are folded."""

import asyncio

from services.predictor.data.batches import count_unfinished
from services.predictor.metrics import BATCH_PREDICTIONS_WAITING
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger
from shared.tables.database import Database

LOOK_EVERY_SECONDS = 5.0
_TABLE = "SELECT to_regclass('batch_predictions')::oid::bigint"
_NUMBER_THE_REST = """
INSERT INTO completion_numbers (prediction_id, batch_id)
SELECT prediction_id, batch_id FROM batch_predictions p
WHERE completed_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM completion_numbers known WHERE known.prediction_id = p.prediction_id)
ORDER BY completed_at, prediction_id
ON CONFLICT DO NOTHING
"""


class BatchTables:
    """Looks each few seconds. Each of several workers shows the same number, and numbering twice is harmless."""

    def __init__(self, database: Database, every_seconds: float = LOOK_EVERY_SECONDS) -> None:
        self._database = database
        self._every_seconds = every_seconds
        self._numbered: int | None = None

    async def run(self) -> None:
        """Number and count until cancelled. While PostgreSQL is away, it waits, and the last count stands."""
        while True:
            try:
                await self.number_the_rest()
                BATCH_PREDICTIONS_WAITING.set(await count_unfinished(self._database))
            except TransientError as error:
                logger.warning("the tables of batches do not answer", reason=str(error))
            await asyncio.sleep(self._every_seconds)

    async def number_the_rest(self) -> None:
        """Number what has no number, if these tables were not looked at before. Raises TransientError."""
        table = await self._database.fetchval(_TABLE)
        if table == self._numbered:
            return
        async with self._database.transaction() as transaction:
            await transaction.execute("LOCK TABLE completion_numbers IN SHARE ROW EXCLUSIVE MODE")
            await transaction.execute(_NUMBER_THE_REST)
        self._numbered = table
