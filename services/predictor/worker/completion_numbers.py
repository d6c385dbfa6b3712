"""Numbers completions that a replay has folded beyond the tables before it: without a number no follower of a batch
would hear of them. All others are numbered when they are folded."""

import asyncio

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


class CompletionNumbers:
    """Looks whether the tables are new ones. Doing it twice is harmless."""

    def __init__(self, database: Database, every_seconds: float = LOOK_EVERY_SECONDS) -> None:
        self._database = database
        self._every_seconds = every_seconds
        self._numbered: int | None = None

    async def run(self) -> None:
        """Number until cancelled. While PostgreSQL is away, it waits."""
        while True:
            try:
                await self.number_the_rest()
            except TransientError as error:
                logger.warning("completions could not be numbered", reason=str(error))
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
