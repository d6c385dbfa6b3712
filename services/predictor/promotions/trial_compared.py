"""Publishes trial.compared: what this replica compared in the trial that goes on, best effort."""

import asyncio

from services.predictor.model.trial import Trial, TrialHolder
from shared.contract.events import uuid_of
from shared.contract.trials import TrialCompared
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock, utc_now
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger

Counts = tuple[int, int, int, int]


class TrialReporter:
    """Publishes the counts of the newest trial when they have changed, once in `every_seconds` at most."""

    def __init__(
        self,
        holder: TrialHolder,
        replica: str,
        every_seconds: float = 1.0,
        clock: Clock = utc_now,
    ) -> None:
        self._holder = holder
        self._replica = replica
        self._every_seconds = every_seconds
        self._clock = clock
        self._published: TrialCompared | None = None

    def event(self) -> TrialCompared | None:
        """Return the counts as an event; None if there is nothing new to say."""
        trial = self._holder.newest
        if trial is None or not any(counts := _counts(trial)):
            return None
        event_id = uuid_of(TrialCompared.topic, trial.event.event_id, self._replica, trial.run, *counts)
        if self._published is not None and self._published.event_id == event_id:
            return None
        return TrialCompared(
            event_id=event_id,
            occurred_at=self._clock(),
            causes=(trial.event.event_id,),
            model_name=trial.event.model_name,
            trial=trial.event.event_id,
            version=trial.event.version,
            replica=self._replica,
            run=trial.run,
            compared=trial.compared,
            disagreed=trial.disagreed,
            failed=trial.failed,
            dropped=trial.dropped,
            detail=trial.detail,
        )

    async def run(self, publisher: Publisher) -> None:
        """Publish until cancelled. What the log does not take is not repeated: the next one has larger counts."""
        while True:
            await asyncio.sleep(self._every_seconds)
            event = self.event()
            if event is None:
                continue
            try:
                await publisher.publish([event])
                self._published = event
            except TransientError as error:
                logger.warning("trial.compared could not be published", error=str(error))


def _counts(trial: Trial) -> Counts:
    return trial.compared, trial.disagreed, trial.failed, trial.dropped
