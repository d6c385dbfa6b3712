"""Publishing and waiting, as every command does it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID, uuid4

from services.labeler.settings import LabelerSettings
from shared.contract.events import Event, uuid_of
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
from shared.tables.database import Database

T = TypeVar("T")


class CommandBus:
    """The way from a command to the log, and back through the tables."""

    def __init__(self, publisher: Publisher, database: Database, settings: LabelerSettings, clock: Clock) -> None:
        self._publisher = publisher
        self._settings = settings
        self.database = database
        self.clock = clock

    @property
    def labels(self) -> tuple[str, ...]:
        """What an image can be called."""
        return self._settings.labels

    @property
    def model_name(self) -> str:
        """The one model this installation serves."""
        return self._settings.model_name

    async def publish(self, event: Event) -> None:
        """Append to the log. Raises TransientError if it did not acknowledge in time; the same again is harmless."""
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                await self._publisher.publish([event])
        except TimeoutError as error:
            raise TransientError(
                "The log did not acknowledge in time. Send the same again, with the same key."
            ) from error

    async def wait_for(self, question: Callable[[], Awaitable[T | None]]) -> T | None:
        """The first answer of the tables; None if there is none in time."""
        return await self.database.wait_until(question, self._settings.outcome_timeout_seconds)


def command_id(topic: str, user: str, key: str | None, *about: object) -> UUID:
    """The event id of a command: the same for the same user, idempotency key and object; a fresh one without a key."""
    return uuid_of(topic, user, key if key is not None else uuid4(), *about)
