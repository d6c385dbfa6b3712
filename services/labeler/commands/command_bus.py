"""Publish the event of a command, and wait until the tables show its outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID, uuid4

from services.labeler.decisions.votes import VoteRules
from services.labeler.settings import LabelerSettings
from shared.contract.events import Event, uuid_of
from shared.contract.label_set import LabelSet
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
from shared.tables.database import Database
from shared.tables.label_set import read_label_set

T = TypeVar("T")


class CommandBus:
    """What every command needs: the publisher, the tables, the clock and the settings."""

    def __init__(self, publisher: Publisher, database: Database, settings: LabelerSettings, clock: Clock) -> None:
        self._publisher = publisher
        self._settings = settings
        self.database = database
        self.clock = clock

    async def classes(self) -> LabelSet:
        """Return the classes an image can have now. Raises TransientError if the tables are away."""
        return await read_label_set(self.database, self._settings.labels)

    @property
    def model_name(self) -> str:
        """The name of the model this installation serves."""
        return self._settings.model_name

    @property
    def vote_rules(self) -> VoteRules:
        """How many equal votes a label needs."""
        return self._settings.vote_rules

    async def publish(self, *events: Event) -> None:
        """Publish events. Raises TransientError if the log does not acknowledge them in time; publishing them again is
        safe."""
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                await self._publisher.publish(events)
        except TimeoutError as error:
            raise TransientError(
                "The log did not acknowledge in time. Send the request again, with the same Idempotency-Key."
            ) from error

    async def wait_for(self, query: Callable[[], Awaitable[T | None]]) -> T | None:
        """Repeat `query` until it returns a result. Return None after the outcome timeout."""
        return await self.database.wait_until(query, self._settings.outcome_timeout_seconds)


def command_id(topic: str, user: str, key: str | None, *about: object) -> UUID:
    """Return the event id of a command: equal for equal user, idempotency key and object; fresh without a key."""
    return uuid_of(topic, user, key if key is not None else uuid4(), *about)
