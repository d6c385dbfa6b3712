"""Publishes model.loaded: the model of this replica, after each change and repeatedly, best effort."""

import asyncio

from services.predictor.model.holder import ServingModel
from services.predictor.model.loader import Failure
from shared.contract.events import uuid_of
from shared.contract.replicas import ModelLoaded
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger
from shared.runtime.tracing import inside, traceparent


class ModelLoadedReporter:
    """Publishes the last state of the loader. Publishes nothing before a model was loaded or failed to load."""

    def __init__(self, replica: str, model_name: str, every_seconds: float = 10.0, clock: Clock = utc_now) -> None:
        self._replica = replica
        self._model_name = model_name
        self._every_seconds = every_seconds
        self._clock = clock
        self._serving: ServingModel | None = None
        self._failure: Failure | None = None
        self._trace: str | None = None
        self._changed = asyncio.Event()

    def notify(self, serving: ServingModel | None, failure: Failure | None) -> None:
        """Take the new state of the loader; it is published soon, in the current trace."""
        self._serving, self._failure, self._trace = serving, failure, traceparent()
        self._changed.set()

    def event(self) -> ModelLoaded | None:
        """Return the state as an event, None before a model was loaded or failed to load."""
        serving, failure = self._serving, self._failure
        if serving is None and failure is None:
            return None
        now = self._clock()
        return ModelLoaded(
            event_id=uuid_of(ModelLoaded.topic, self._replica, now.isoformat()),
            occurred_at=now,
            causes=(failure.promotion.event_id,) if failure else (serving.promotion.event_id,) if serving else (),
            replica=self._replica,
            model_name=self._model_name,
            version=serving.promotion.version if serving else None,
            sequence=serving.promotion.sequence if serving else None,
            outcome="failed" if failure else "serving",
            detail=failure.detail if failure else "",
            wanted_version=failure.promotion.version if failure else None,
            loaded_at=serving.loaded_at if serving else None,
        )

    async def run(self, publisher: Publisher) -> None:
        """Publish until cancelled. An event the log does not take is not repeated: the next one has the same state."""
        while True:
            self._changed.clear()
            event = self.event()
            if event is not None:
                trace, self._trace = self._trace, None  # repetitions are not part of it
                try:
                    with inside(trace):
                        await publisher.publish([event])
                except TransientError as error:
                    logger.warning("model.loaded could not be published", error=str(error))
            try:
                async with asyncio.timeout(self._every_seconds):
                    await self._changed.wait()
            except TimeoutError:
                continue
