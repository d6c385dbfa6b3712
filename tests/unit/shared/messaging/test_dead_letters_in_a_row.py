"""When a handler stops because it can handle nothing any more, and how it goes on."""

from collections.abc import Sequence

import pytest

from shared.contract.events import Event, ImageRegistered
from shared.messaging.handler import TooManyDeadLetters
from shared.runtime.errors import InvalidMessage
from shared.testing import MemoryEventLog, eventually
from tests.unit.shared.messaging.test_handler import TOPIC, answer, answered, fill, one_place, refuse, run, running


async def test_too_many_dead_letters_in_a_row_stop_the_handler() -> None:
    event_log = MemoryEventLog()
    await fill(event_log, *one_place(50))
    with pytest.raises(TooManyDeadLetters, match="repair the handler"):
        await run(event_log, refuse)
    assert len(event_log.dead_letters(TOPIC)) == 20
    assert sum(event_log.committed("test").values()) == 20


async def test_restarts_do_not_drain_a_topic_twenty_dead_letters_at_a_time() -> None:
    event_log, events = MemoryEventLog(), one_place(50)
    await fill(event_log, *events)
    for _ in range(3):
        with pytest.raises(TooManyDeadLetters):
            await run(event_log, refuse)
    assert len(event_log.dead_letters(TOPIC)) == 20
    async with running(event_log, answer):  # the repaired handler takes up where the row of dead letters ended
        await eventually(lambda: answered(event_log) == {event.event_id for event in events[20:]})


async def test_a_skip_lets_as_many_dead_letters_pass_again_and_no_more() -> None:
    event_log = MemoryEventLog()
    await fill(event_log, *one_place(50))
    with pytest.raises(TooManyDeadLetters, match="pappus dlq skip test"):
        await run(event_log, refuse)
    event_log.skip("test")
    for _ in range(2):
        with pytest.raises(TooManyDeadLetters):
            await run(event_log, refuse)
        assert len(event_log.dead_letters(TOPIC)) == 40


async def test_a_success_in_between_starts_the_count_of_dead_letters_anew() -> None:
    event_log = MemoryEventLog()
    await fill(event_log, *one_place(60))

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        if event.attempt % 20:
            raise InvalidMessage("most make no sense")
        return []

    async with running(event_log, handler):
        await eventually(lambda: sum(event_log.committed("test").values()) == 60)
    assert len(event_log.dead_letters(TOPIC)) == 57
