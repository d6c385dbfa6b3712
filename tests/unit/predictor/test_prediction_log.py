"""Answers on their way to the log."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.predictor.api.prediction_log import Answered, PredictionLog
from services.predictor.decisions.answers import Answer
from services.predictor.model.scoring import Scored
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event
from shared.contract.replicas import MOST_ANSWERS, AnswersLogged
from shared.contract.topics import LARGEST_BYTES
from shared.messaging.event_log import Publisher, Record
from shared.runtime.errors import InvalidMessage, PappusError, TransientError
from shared.runtime.retry import RetryPolicy
from shared.runtime.tracing import continued, current_span, current_trace_id
from shared.testing import MemoryEventLog, eventually
from tests.unit.predictor.promotions import NOON

QUICK = RetryPolicy(0.01, 1.0, 0.01, attempts=None)


class Recorder:
    """A log that is away at the first `failures` calls; keeps which answers it took, and in which trace."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.taken: list[tuple[str, str | None]] = []
        self.records = 0

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        await asyncio.sleep(0)
        if self.failures > 0:
            self.failures -= 1
            raise TransientError("Kafka did not acknowledge.")
        self.records += len(events)
        for event in events:
            assert isinstance(event, AnswersLogged)
            self.taken += [(str(answer.prediction_id), current_trace_id()) for answer in event.answers]
        return []

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        raise AssertionError(f"No dead letter was expected: {dead_letter}")


TOO_LONG = "x" * LARGEST_BYTES
ANSWER = Answer("grass", {"dandelion": 0.25, "grass": 0.75}, (), np.zeros(8, np.float32))


def answered(number: int, answer: Answer = ANSWER, seconds: float = 0.001) -> Answered:
    scored = Scored(answer, "ab" * 32, seconds, seconds)
    return Answered(scored, "plants", "fast-1", "", "replica-0", UUID(int=number), NOON, current_span(), 9)


def key(number: int) -> str:
    return str(UUID(int=number))


def _logged(log: MemoryEventLog) -> list[str]:
    return [str(each.prediction_id) for event in log.events(AnswersLogged) for each in event.answers]


def made(limit: int = 10, retry: RetryPolicy = QUICK) -> PredictionLog:
    return PredictionLog(limit, retry, gather_seconds=0.0)


def dropped() -> float:
    return REGISTRY.get_sample_value("pappus_predictions_logged_dropped_total") or 0.0


async def run_until(
    event_log: PredictionLog, publisher: Publisher, taken: list[tuple[str, str | None]], count: int
) -> None:
    task = asyncio.create_task(event_log.run(publisher))
    await eventually(lambda: len(taken) >= count)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_offered_answer_is_published() -> None:
    event_log, recorder = made(), Recorder()
    for number in range(5):
        event_log.offer(answered(number))
    await run_until(event_log, recorder, recorder.taken, 5)
    assert {each for each, _ in recorder.taken} == {key(number) for number in range(5)}


async def test_an_answer_that_does_not_fit_is_dropped_and_counted() -> None:
    event_log, before = made(3), dropped()
    for number in range(5):
        event_log.offer(answered(number))
    assert dropped() - before == 2


async def test_while_the_log_is_away_answers_wait() -> None:
    event_log, recorder = made(), Recorder(failures=3)
    event_log.offer(answered(1))
    await run_until(event_log, recorder, recorder.taken, 1)
    assert {each for each, _ in recorder.taken} == {key(1)}


async def test_an_answer_alone_is_published_in_the_trace_of_its_request(tracing: None) -> None:
    event_log, recorder = made(), Recorder()
    trace_id = f"{10:032x}"
    with continued(f"00-{trace_id}-b7ad6b7169203331-01", "predict"):
        event_log.offer(answered(1))
    await run_until(event_log, recorder, recorder.taken, 1)
    assert recorder.taken[0] == (key(1), trace_id)


async def test_answers_of_several_traces_are_published_in_one_of_their_own(tracing: None) -> None:
    event_log, recorder = made(), Recorder()
    trace_ids = [f"{number:032x}" for number in (10, 11)]
    for number, trace_id in enumerate(trace_ids):
        with continued(f"00-{trace_id}-b7ad6b7169203331-01", "predict"):
            event_log.offer(answered(number))
    await run_until(event_log, recorder, recorder.taken, 2)
    found = {trace_id for _, trace_id in recorder.taken}
    assert len(found) == 1
    assert not found & set(trace_ids)


async def test_many_answers_are_few_records_and_none_holds_more_than_it_may() -> None:
    event_log, recorder = made(limit=5 * MOST_ANSWERS), Recorder()
    for number in range(3 * MOST_ANSWERS + 1):
        event_log.offer(answered(number))
    await run_until(event_log, recorder, recorder.taken, 3 * MOST_ANSWERS + 1)
    assert [each for each, _ in recorder.taken] == [key(number) for number in range(3 * MOST_ANSWERS + 1)]
    assert recorder.records == 4


async def test_the_end_of_the_process_publishes_what_waits() -> None:
    event_log, recorder = made(), Recorder()
    task = asyncio.create_task(event_log.run(recorder))
    await asyncio.sleep(0)
    for number in range(3):
        event_log.offer(answered(number))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(recorder.taken) == 3


async def test_answers_the_log_does_not_take_at_the_end_are_counted() -> None:
    event_log, before = made(10, RetryPolicy(60, 1, 60, None)), dropped()
    task = asyncio.create_task(event_log.run(Recorder(failures=1000)))
    await asyncio.sleep(0)
    for number in range(3):
        event_log.offer(answered(number))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dropped() - before == 3


async def test_an_answer_that_cannot_be_encoded_is_dropped_and_the_rest_goes_on() -> None:
    log, event_log, before = MemoryEventLog(), made(), dropped()
    event_log.offer(answered(1, seconds=float("nan")))
    event_log.offer(answered(2, replace(ANSWER, label=TOO_LONG, probabilities={TOO_LONG: 1.0})))
    event_log.offer(answered(3))
    async with log.publisher("pappus/jobs") as publisher:
        task = asyncio.create_task(event_log.run(publisher))
        await eventually(
            lambda: (
                [str(each.prediction_id) for event in log.events(AnswersLogged) for each in event.answers] == [key(3)]
            )
        )
        assert dropped() - before == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_lines_are_written_while_the_log_is_away_and_the_queue_is_full() -> None:
    event_log = made(limit=2)
    task = asyncio.create_task(event_log.run(Recorder(failures=1_000_000)))
    with capture_logs() as lines:
        for number in range(5):
            event_log.offer(answered(number))
        await eventually(lambda: len(lines) >= 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told = [line["prediction_id"] for line in lines if line["event"] == "answered"]
    assert told == [key(number) for number in range(5)]


async def test_what_is_answered_at_the_end_is_published_or_counted_and_told() -> None:
    event_log, before, recorder = made(), dropped(), Recorder()
    task = asyncio.create_task(event_log.run(recorder))
    await asyncio.sleep(0)
    with capture_logs() as lines:
        event_log.offer(answered(1))
        task.cancel()
        await asyncio.sleep(0)  # the rest is on its way
        event_log.offer(answered(2))
        await asyncio.gather(task, return_exceptions=True)
        event_log.offer(answered(3))
    assert [each for each, _ in recorder.taken] == [key(1), key(2)]
    assert dropped() - before == 1
    told = [line["prediction_id"] for line in lines if line["event"] == "answered"]
    assert told == [key(1), key(2), key(3)]


async def test_lines_that_are_not_written_do_not_pile_up() -> None:
    event_log = made(limit=4)
    with capture_logs() as lines:
        for number in range(9):
            event_log.offer(answered(number))
    assert len([line for line in lines if line["event"] == "answered"]) == 8


async def test_of_a_batch_that_is_tried_again_nothing_is_published_twice() -> None:
    """Of four answers the second can never be published, and the log goes away after the first of them."""

    class Leaving(Recorder):
        left = False

        async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
            [event] = events
            assert isinstance(event, AnswersLogged)
            if any(str(answer.prediction_id) == key(2) for answer in event.answers):
                raise InvalidMessage("This holds a NUL character.")
            if self.taken and not self.left:
                self.left = True
                raise TransientError("Kafka did not acknowledge.")
            return await super().publish(events)

    event_log, recorder, before = made(), Leaving(), dropped()
    for number in (1, 2, 3, 4):
        event_log.offer(answered(number))
    await run_until(event_log, recorder, recorder.taken, 3)
    assert [each for each, _ in recorder.taken] == [key(1), key(3), key(4)]
    assert dropped() - before == 1


async def test_where_no_answer_can_be_published_each_costs_about_one_try() -> None:
    class Refusing(Recorder):
        async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
            self.records += len(events)
            raise PappusError("The login has no right to it.")

    event_log, recorder, before = made(limit=MOST_ANSWERS), Refusing(), dropped()
    for number in range(MOST_ANSWERS):
        event_log.offer(answered(number))
    task = asyncio.create_task(event_log.run(recorder))
    await eventually(lambda: dropped() - before == MOST_ANSWERS)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert recorder.records < 1.2 * MOST_ANSWERS


async def test_a_sample_by_id_has_lines_and_events_and_the_rest_is_counted() -> None:
    before = REGISTRY.get_sample_value("pappus_predictions_left_out_total") or 0.0
    log, recorder = PredictionLog(100, QUICK, 0.01, share=0.25), Recorder()
    with capture_logs() as lines:
        task = asyncio.create_task(log.run(recorder))
        for eighth in range(8):
            log.offer(answered((eighth << 29) + 7))
        await eventually(lambda: len(recorder.taken) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    logged = {str(UUID(int=(eighth << 29) + 7)) for eighth in range(2)}
    assert {found for found, _ in recorder.taken} == logged
    assert {line["prediction_id"] for line in lines if line["event"] == "answered"} == logged
    assert REGISTRY.get_sample_value("pappus_predictions_left_out_total") == before + 6
