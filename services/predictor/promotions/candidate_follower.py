"""Follows model.trained from its end, so that each replica has a candidate in memory when it is promoted."""

import asyncio

from services.predictor.model.candidates import CandidateModels
from shared.contract.events import ModelTrained
from shared.messaging.codec import decode_record
from shared.messaging.event_log import EventLog, LogReader, Record
from shared.messaging.tracing import describe_event, process_span
from shared.runtime.errors import InvalidMessage, LogReplaced, TransientError, UnknownContent
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, delay
from shared.runtime.telemetry import logger

PART = "candidates"
POLL_SECONDS = 1.0


class CandidateFollower:
    """Tells `models` of each candidate of this model that comes while it runs. It decides nothing and only saves time:
    what it cannot read is left to those who fold it, and while the log is away promotions are loaded as they come."""

    def __init__(
        self,
        event_log: EventLog,
        models: CandidateModels,
        model_name: str,
        health: Health,
        retry: RetryPolicy = UNTIL_CANCELLED,
    ) -> None:
        self._event_log = event_log
        self._models = models
        self._model_name = model_name
        self._health = health
        self._retry = retry

    async def run(self) -> None:
        """Follow until cancelled; a log that is away is read again with back-off, from its end then."""
        attempt = 0
        try:
            while True:
                try:
                    async with self._event_log.reader([ModelTrained.topic]) as reader:
                        await reader.start_at(await reader.end_offsets())
                        self._health.set(PART, True)
                        attempt = 0
                        await self._follow(reader)
                except (TransientError, LogReplaced) as error:
                    attempt += 1
                    self._health.set(PART, False, f"model.trained cannot be followed: {error}")
                    logger.warning("model.trained cannot be followed; it will be tried again", error=str(error))
                await asyncio.sleep(delay(self._retry, attempt) or POLL_SECONDS)
        finally:
            await self._models.close()

    async def _follow(self, reader: LogReader) -> None:
        while True:
            for record in await reader.poll(POLL_SECONDS):
                with process_span(record, "process"):
                    self._begin(record)

    def _begin(self, record: Record) -> None:
        try:
            event = decode_record(record)
        except (InvalidMessage, UnknownContent):
            return
        if isinstance(event, ModelTrained) and event.model_name == self._model_name:
            describe_event(event)
            self._models.begin(event)
