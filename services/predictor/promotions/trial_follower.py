"""Follows trial.started, and the verdicts that end trials, without a group: each replica reads all of them."""

import asyncio
from collections.abc import Callable

from services.predictor.decisions.trials import Trials, fold_trial
from shared.contract.events import ModelPromoted, ModelRejected
from shared.contract.trials import TrialStarted
from shared.messaging.codec import decode_record
from shared.messaging.event_log import EventLog, LogReader, Record
from shared.runtime.errors import InvalidMessage, LogReplaced, TransientError, UnknownContent
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, delay
from shared.runtime.telemetry import logger

PART = "trials"
POLL_SECONDS = 1.0


class TrialFollower:
    """Folds trials and calls `set_target`: once at the end offsets measured at the start, so that no trial begins here
    that is over, then after each change. What it cannot read is left to those who report it; while the log is away a
    trial goes on until its time is over."""

    def __init__(
        self,
        event_log: EventLog,
        set_target: Callable[[Trials], None],
        model_name: str,
        health: Health,
        retry: RetryPolicy = UNTIL_CANCELLED,
    ) -> None:
        self._event_log = event_log
        self._set_target = set_target
        self._model_name = model_name
        self._health = health
        self._retry = retry

    async def run(self) -> None:
        """Follow until cancelled. A log that is away is read again with back-off, from its start."""
        attempt = 0
        while True:
            try:
                topics = self._event_log.reader([TrialStarted.topic, ModelPromoted.topic, ModelRejected.topic])
                async with topics as reader:
                    trials = await self._read_to_end(reader)
                    self._health.set(PART, True)
                    attempt = 0
                    await self._follow(reader, trials)
            except (TransientError, LogReplaced) as error:
                attempt += 1
                self._health.set(PART, False, f"trial.started cannot be followed: {error}")
                logger.warning("trial.started cannot be followed; it will be tried again", error=str(error))
            await asyncio.sleep(delay(self._retry, attempt) or POLL_SECONDS)

    async def _read_to_end(self, reader: LogReader) -> Trials:
        await reader.start_at({})
        ends = await reader.end_offsets()
        positions = dict(await reader.beginning_offsets())
        trials = Trials()
        while any(positions[partition] < end for partition, end in ends.items()):
            for record in await reader.poll(POLL_SECONDS):
                trials = self._fold(trials, record)
                positions[record.topic_partition] = record.offset + 1
        self._set_target(trials)
        return trials

    async def _follow(self, reader: LogReader, trials: Trials) -> None:
        while True:
            before = trials
            for record in await reader.poll(POLL_SECONDS):
                trials = self._fold(trials, record)
            if trials is not before:
                self._set_target(trials)

    def _fold(self, trials: Trials, record: Record) -> Trials:
        try:
            event = decode_record(record)
        except (InvalidMessage, UnknownContent):
            return trials
        if not isinstance(event, TrialStarted | ModelPromoted | ModelRejected) or event.model_name != self._model_name:
            return trials
        return fold_trial(trials, event)
