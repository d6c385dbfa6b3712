"""Shows as metrics how often people agree with what is in service."""

import asyncio

from services.labeler.api.metrics import LIVE_ACCURACY, LIVE_ANSWERS
from services.labeler.queries.watching import accuracy_since_full
from shared.runtime.errors import TransientError
from shared.tables.database import Database

EVERY_SECONDS = 5.0


async def show_live_accuracy(database: Database) -> None:
    """Set the metrics until cancelled; while PostgreSQL is away they stay as they are."""
    while True:
        try:
            found = await accuracy_since_full(database)
        except TransientError:
            pass
        else:
            LIVE_ANSWERS.set(found.answers)
            if not found.answers:
                LIVE_ACCURACY.clear()
            for bound, value in (("value", found.share), ("low", found.low), ("high", found.high)):
                if found.answers and value is not None:
                    LIVE_ACCURACY.labels(bound).set(value)
        await asyncio.sleep(EVERY_SECONDS)
