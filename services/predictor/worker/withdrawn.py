"""Whether a person took an image back, as the log says it now."""

from uuid import UUID

from services.predictor.data.projection import is_withdrawn
from shared.contract.events import ImageWithdrawn
from shared.messaging.event_log import EventLog
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up

CAUGHT_UP_SECONDS = 10.0


class WithdrawnImages:
    """Answers from the tables, once they show all of image.withdrawn: the bytes may go before the tables say why."""

    def __init__(self, event_log: EventLog, database: Database, caught_up_seconds: float = CAUGHT_UP_SECONDS) -> None:
        self._event_log = event_log
        self._caught_up_seconds = caught_up_seconds
        self._database = database

    async def holds(self, image_id: UUID) -> bool:
        """Return whether the image was withdrawn. Raises TransientError if log or tables do not answer in time."""
        await wait_until_caught_up(self._event_log, self._database, (ImageWithdrawn.topic,), self._caught_up_seconds)
        return await is_withdrawn(self._database, image_id)
