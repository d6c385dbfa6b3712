"""What the recorder asks the trainer's tables: which verdicts count, and who the champion is."""

from typing import Protocol

from services.trainer.data import queries
from services.trainer.data.queries import Champion, ModelRow
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.messaging.event_log import EventLog
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up

TOPICS = (ModelTrained.topic, ModelPromoted.topic, ModelRejected.topic)


class ModelTable(Protocol):
    """The candidates and what became of them, as the log says now. Every method raises TransientError."""

    async def find(self, version: str) -> ModelRow | None:
        """The candidate with this version; None if the log knows none."""

    async def champion(self) -> Champion | None:
        """The model in service; None before the first promotion."""


class TableModels:
    """The models in the trainer's schema, once it is caught up."""

    def __init__(self, event_log: EventLog, database: Database, timeout_seconds: float) -> None:
        self._event_log = event_log
        self._database = database
        self._timeout_seconds = timeout_seconds

    async def find(self, version: str) -> ModelRow | None:
        """See Models."""
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._timeout_seconds)
        return await queries.model(self._database, version)

    async def champion(self) -> Champion | None:
        """See Models."""
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._timeout_seconds)
        return await queries.champion(self._database)
