"""Answers on their way to the log."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.predictor.api.prediction_log import PredictionLog
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event
from shared.contract.replicas import PredictionLogged
from shared.messaging.event_log import Publisher, Record
from shared.runtime.errors import TransientError
from shared.runtime.retry import RetryPolicy
from shared.runtime.tracing import continued, current_trace_id
from shared.testing import MemoryEventLog, eventually, prediction_logged

QUICK = RetryPolicy(0.01, 1.0, 0.01, attempts=None)


class Recorder:
    """A log that is away at the first `failures` calls; keeps what it took and in which trace."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.taken: list[tuple[Event, str | None]] = []

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        await asyncio.sleep(0)
        if self.failures > 0:
            self.failures -= 1
            raise TransientError("Kafka did not acknowledge.")
        self.taken += [(event, current_trace_id()) for event in events]
        return []

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        raise AssertionError(f"No dead letter was expected: {dead_letter}")


def event(number: int) -> PredictionLogged:
    return prediction_logged(prediction_id=UUID(int=number))


def dropped() -> float:
    return REGISTRY.get_sample_value("pappus_predictions_logged_dropped_total") or 0.0


async def run_until(
    event_log: PredictionLog, publisher: Publisher, taken: list[tuple[Event, str | None]], count: int
) -> None:
    task = asyncio.create_task(event_log.run(publisher))
    await eventually(lambda: len(taken) >= count)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_offered_answer_is_published() -> None:
    event_log, recorder = PredictionLog(10, QUICK), Recorder()
    for number in range(5):
        event_log.offer(event(number))
    await run_until(event_log, recorder, recorder.taken, 5)
    assert {each.key for each, _ in recorder.taken} == {event(number).key for number in range(5)}


async def test_an_answer_that_does_not_fit_is_dropped_and_counted() -> None:
    event_log, before = PredictionLog(3), dropped()
    for number in range(5):
        event_log.offer(event(number))
    assert dropped() - before == 2


async def test_while_the_log_is_away_answers_wait() -> None:
    event_log, recorder = PredictionLog(10, QUICK), Recorder(failures=3)
    event_log.offer(event(1))
    await run_until(event_log, recorder, recorder.taken, 1)
    assert {each.key for each, _ in recorder.taken} == {event(1).key}


async def test_an_answer_is_published_in_the_trace_of_its_request() -> None:
    event_log, recorder = PredictionLog(10, QUICK), Recorder()
    trace_ids = [f"{number:032x}" for number in (10, 11)]
    for number, trace_id in enumerate(trace_ids):
        with continued(f"00-{trace_id}-b7ad6b7169203331-01", "predict"):
            event_log.offer(event(number))
    await run_until(event_log, recorder, recorder.taken, 2)
    assert [trace_id for _, trace_id in recorder.taken[:2]] == trace_ids  # the end may publish them once more


async def test_the_end_of_the_process_publishes_what_waits() -> None:
    event_log, recorder = PredictionLog(10, QUICK), Recorder()
    task = asyncio.create_task(event_log.run(recorder))
    await asyncio.sleep(0)
    for number in range(3):
        event_log.offer(event(number))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(recorder.taken) == 3


async def test_answers_the_log_does_not_take_at_the_end_are_counted() -> None:
    event_log, before = PredictionLog(10, RetryPolicy(60, 1, 60, None)), dropped()
    task = asyncio.create_task(event_log.run(Recorder(failures=1000)))
    await asyncio.sleep(0)
    for number in range(3):
        event_log.offer(event(number))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dropped() - before == 3


async def test_an_answer_that_cannot_be_encoded_is_dropped_and_the_rest_goes_on() -> None:
    log, event_log, before = MemoryEventLog(), PredictionLog(10, QUICK), dropped()
    event_log.offer(event(1).model_copy(update={"milliseconds": float("nan")}))
    event_log.offer(event(2).model_copy(update={"label": "x" * 2_000_000}))
    event_log.offer(event(3))
    async with log.publisher("pappus/jobs") as publisher:
        task = asyncio.create_task(event_log.run(publisher))
        await eventually(lambda: [each.key for each in log.events(PredictionLogged)] == [event(3).key])
        assert dropped() - before == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
