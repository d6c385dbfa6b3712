"""What is left to do once an answer is given, without delaying the next one: its line in the log of the process, and
its event. Both are done for many answers at once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from opentelemetry.trace import Span

from services.predictor.decisions.answers import PredictionContext, logged_answer
from services.predictor.metrics import PREDICTIONS_DROPPED, PREDICTIONS_LEFT_OUT
from services.predictor.model.scoring import Scored
from shared.contract.events import uuid_of
from shared.contract.replicas import MOST_ANSWERS, AnswersLogged, LoggedAnswer
from shared.messaging.event_log import Publisher
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, retrying
from shared.runtime.telemetry import Line, log_many, logger
from shared.runtime.tracing import linked_to, span_id_of, trace_id_of

GATHER_SECONDS = 0.25
"""How long answers are gathered. One turn for many costs a fraction of a turn for each."""
AT_ONCE = 25
"""Answers after which requests have their turn again: some 0.3 ms, less than an answer takes."""
FLUSH_SECONDS = 2.0


class Answered(NamedTuple):
    """An answer that was given: by which version of which model and when, what it may be compared with (empty: with
    nothing), in which span, and by which key it was asked for (None: by none). It holds no model: it may wait while
    others come into service."""

    scored: Scored
    model_name: str
    model_version: str
    drift_reference: str
    replica: str
    prediction_id: UUID
    at: datetime
    span: Span
    size_bytes: int
    api_key: str | None = None


class PredictionLog:
    """Writes a line about each answer, and publishes answers.logged, best effort: an answer that does not fit into the
    queue, or that can never be published, is dropped and counted, and so is one that is not in the sample."""

    def __init__(
        self,
        limit: int,
        retry: RetryPolicy = UNTIL_CANCELLED,
        gather_seconds: float = GATHER_SECONDS,
        share: float = 1.0,
    ) -> None:
        """`share`: of the answers, in [0, 1], that get a line and an event; which, follows from their ids."""
        self._below = round(share * 2**32)
        self._queue: asyncio.Queue[Answered] = asyncio.Queue(limit)
        self._unwritten: list[Answered] = []
        self._batch: list[Answered] = []
        self._ended = False
        self._retry = retry
        self._gather_seconds = gather_seconds

    def offer(self, answered: Answered) -> None:
        """Queue an answer. Never waits, never raises. After the end, while the last requests are answered, its line is
        written at once, and the answer is dropped."""
        if (answered.prediction_id.int & 0xFFFFFFFF) >= self._below:  # the low bits of an id are random
            PREDICTIONS_LEFT_OUT.inc()
            return
        self._unwritten.append(answered)
        if self._ended or len(self._unwritten) >= self._queue.maxsize:
            self._write_now()
        try:
            if self._ended:
                raise asyncio.QueueFull
            self._queue.put_nowait(answered)
        except asyncio.QueueFull:
            PREDICTIONS_DROPPED.inc()

    async def run(self, publisher: Publisher) -> None:
        """Write and publish until cancelled; while the log is away the queue fills. After the cancellation the rest has
        `FLUSH_SECONDS`."""
        self._ended = False
        writing = asyncio.create_task(self._write_lines())
        try:
            while True:
                if not self._batch:  # a batch that failed before this part was started again goes first
                    self._batch = [await self._queue.get()]
                    if self._queue.qsize() < MOST_ANSWERS:
                        await asyncio.sleep(self._gather_seconds)
                self._take_waiting(MOST_ANSWERS)
                await retrying(self._retry, lambda: _publish(publisher, self._batch))
        except asyncio.CancelledError:
            await self._flush(publisher)
            self._ended = True
            raise
        finally:
            writing.cancel()
            self._write_now()

    async def _write_lines(self) -> None:
        while True:
            await asyncio.sleep(self._gather_seconds)
            while self._unwritten:
                self._write_now(AT_ONCE)
                await asyncio.sleep(0)

    def _write_now(self, most: int | None = None) -> None:
        written, self._unwritten = self._unwritten[:most], self._unwritten[most:] if most else []
        if written:
            log_many("answered", [_line(each) for each in written])

    def _take_waiting(self, limit: int) -> None:
        while len(self._batch) < limit and not self._queue.empty():
            self._batch.append(self._queue.get_nowait())

    async def _flush(self, publisher: Publisher) -> None:
        """Publish what waits, and what is answered meanwhile."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                while self._batch or not self._queue.empty():
                    self._take_waiting(MOST_ANSWERS)
                    await _publish(publisher, self._batch)
        except (TransientError, TimeoutError) as error:
            rest = len(self._batch) + self._queue.qsize()
            PREDICTIONS_DROPPED.inc(rest)
            logger.warning("the last answers before the end were not logged", events=rest, error=str(error))


def _line(answered: Answered) -> Line:
    fields: dict[str, object] = {
        "prediction_id": str(answered.prediction_id),
        "label": answered.scored.answer.label,
        "model_version": answered.model_version,
        "milliseconds": answered.scored.milliseconds,
        "size_bytes": answered.size_bytes,
        "trace_id": trace_id_of(answered.span),
        "span_id": span_id_of(answered.span),
    }
    if answered.api_key is not None:
        fields["api_key"] = answered.api_key
    return Line(answered.at, fields)


async def _event(batch: Sequence[Answered]) -> AnswersLogged:
    """Return the event of some answers of one replica, made while others are given. The same answers give the same
    id."""
    first, last = batch[0], batch[-1]
    answers: list[LoggedAnswer] = []
    for start in range(0, len(batch), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        answers += map(_answer, batch[start : start + AT_ONCE])
    return AnswersLogged(
        event_id=uuid_of(AnswersLogged.topic, first.replica, first.prediction_id, last.prediction_id),
        occurred_at=last.at,
        model_name=last.model_name,
        replica=last.replica,
        source="api",
        answers=tuple(answers),
    )


def _answer(answered: Answered) -> LoggedAnswer:
    scored = answered.scored
    context = PredictionContext(answered.model_version, scored.sha256, scored.milliseconds, answered.drift_reference)
    return logged_answer(scored.answer, context, answered.prediction_id, answered.at)


async def _publish(publisher: Publisher, batch: list[Answered]) -> None:
    """Publish answers in one record; what is published or dropped leaves the batch. Where an answer can never be
    published, halves are tried until it is found: it does not hold up the others. Raises TransientError."""
    size = len(batch)
    while batch:
        part = batch[:size]
        try:
            event = await _event(part)
            with linked_to([each.span for each in part], "log answers"):
                await publisher.publish([event])
        except TransientError:
            raise
        except (PappusError, ValueError) as error:
            if len(part) > 1:
                size = len(part) // 2
                continue
            PREDICTIONS_DROPPED.inc()
            logger.error("an answer cannot be logged", prediction_id=str(part[0].prediction_id), error=str(error))
        else:
            size *= 2  # not after a drop: where none can be published, each costs one try
        del batch[: len(part)]
