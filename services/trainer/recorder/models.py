"""The recorder's view of the trainer's tables: which verdicts count, and which version is the champion."""

from typing import Protocol

from services.trainer.data import queries
from services.trainer.data.queries import Champion, ModelRow
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.messaging.event_log import EventLog
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up

TOPICS = (ModelTrained.topic, ModelPromoted.topic, ModelRejected.topic)


class ModelTable(Protocol):
    """The candidates and their verdicts, up to the current end of the log. Every method raises TransientError."""

    async def find(self, version: str) -> ModelRow | None:
        """Return the candidate with this version; None if there is none."""

    async def champion(self) -> Champion | None:
        """Return the model in service; None before the first promotion."""


class TableModels:
    """The models in the trainer's schema; every method first waits until the schema is caught up."""

    def __init__(self, event_log: EventLog, database: Database, timeout_seconds: float) -> None:
        self._event_log = event_log
        self._database = database
        self._timeout_seconds = timeout_seconds

    async def find(self, version: str) -> ModelRow | None:
        """See ModelTable."""
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._timeout_seconds)
        return await queries.announced(self._database, version)

    async def champion(self) -> Champion | None:
        """See ModelTable."""
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._timeout_seconds)
        return await queries.champion(self._database, as_announced=True)
