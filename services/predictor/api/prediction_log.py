"""Publishes answers without delaying them: a bounded queue, and one task that empties it."""

import asyncio
from contextvars import Context, copy_context
from typing import NamedTuple

from services.predictor.metrics import PREDICTIONS_DROPPED
from shared.contract.replicas import PredictionLogged
from shared.messaging.event_log import Publisher
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, retrying
from shared.runtime.telemetry import logger

BATCH = 200
FLUSH_SECONDS = 2.0


class _Waiting(NamedTuple):
    """An answer, and the context with its trace."""

    event: PredictionLogged
    context: Context


class PredictionLog:
    """Publishes prediction.logged, best effort: an answer that does not fit into the queue, or that can never be
    published, is dropped and counted."""

    def __init__(self, limit: int, retry: RetryPolicy = UNTIL_CANCELLED) -> None:
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(limit)
        self._batch: list[_Waiting] = []
        self._retry = retry

    def offer(self, event: PredictionLogged) -> None:
        """Queue an answer, in the trace of the request. Never waits, never raises."""
        try:
            self._queue.put_nowait(_Waiting(event, copy_context()))
        except asyncio.QueueFull:
            PREDICTIONS_DROPPED.inc()

    async def run(self, publisher: Publisher) -> None:
        """Publish until cancelled, as fast as the log acknowledges; while it is away the queue fills. After the
        cancellation the rest has `FLUSH_SECONDS`."""
        try:
            while True:
                if not self._batch:  # a batch that failed before this part was started again goes first
                    self._batch = [await self._queue.get()]
                self._take_waiting(BATCH)
                await retrying(self._retry, lambda: _publish(publisher, self._batch))
                self._batch = []
        except asyncio.CancelledError:
            await self._flush(publisher)
            raise

    def _take_waiting(self, limit: int) -> None:
        while len(self._batch) < limit and not self._queue.empty():
            self._batch.append(self._queue.get_nowait())

    async def _flush(self, publisher: Publisher) -> None:
        self._take_waiting(self._queue.maxsize + BATCH)
        rest, self._batch = self._batch, []
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await _publish(publisher, rest)
        except (TransientError, TimeoutError) as error:
            PREDICTIONS_DROPPED.inc(len(rest))
            logger.warning("the last answers before the end were not logged", events=len(rest), error=str(error))


async def _publish(publisher: Publisher, batch: list[_Waiting]) -> None:
    """Publish side by side, each event in its own trace; the client makes batches. Raises TransientError after all have
    ended."""
    loop = asyncio.get_running_loop()
    sends = [loop.create_task(_send(publisher, each.event), context=each.context) for each in batch]
    try:
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
    finally:
        for send in sends:
            send.cancel()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _send(publisher: Publisher, event: PredictionLogged) -> None:
    """Publish one answer. One that can never be published is dropped, so that it does not hold up the others."""
    try:
        await publisher.publish([event])
    except TransientError:
        raise
    except (PappusError, ValueError) as error:
        PREDICTIONS_DROPPED.inc()
        logger.error("an answer cannot be logged", prediction_id=str(event.prediction_id), error=str(error))
