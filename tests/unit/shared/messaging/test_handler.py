"""The one place with the order receive -> handle -> publish -> commit, and the policy on exceptions."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.events import Event, ImageRegistered, ImageRejected, uuid_of
from shared.messaging.event_log import TopicPartition
from shared.messaging.handler import Subscription, run_handlers, subscribe
from shared.runtime.errors import InvalidMessage, TransientError
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.testing import MemoryEventLog, eventually, image_registered, image_rejected
from tests.profiles import examples

TOPIC = ImageRegistered.topic
QUICK = RetryPolicy(first_seconds=0.001, longest_seconds=0.002, attempts=4)
Answer = Callable[[ImageRegistered], Awaitable[Sequence[Event]]]


def outcome_of(event: ImageRegistered) -> ImageRejected:
    """Return what the handlers here answer: the same event, with the same id, at every repetition."""
    event_id = uuid_of("outcome", event.event_id)
    return image_rejected(image_id=event.image_id, event_id=event_id, causes=(event.event_id,))


async def answer(event: ImageRegistered) -> Sequence[Event]:
    return [outcome_of(event)]


async def fill(event_log: MemoryEventLog, *events: Event) -> None:
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)


def answered(event_log: MemoryEventLog) -> set[UUID]:
    return {cause for outcome in event_log.events(ImageRejected) for cause in outcome.causes}


async def run(
    event_log: MemoryEventLog, handler: Answer, *, concurrency: int = 1, health: Health | None = None
) -> None:
    subscriptions: list[Subscription] = [subscribe(ImageRegistered, handler)]
    await run_handlers(
        event_log,
        group="test",
        source="pappus/jobs",
        subscriptions=subscriptions,
        health=health or Health(),
        concurrency=concurrency,
        retry=QUICK,
    )


@asynccontextmanager
async def running(
    event_log: MemoryEventLog, handler: Answer, *, concurrency: int = 1, health: Health | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run(event_log, handler, concurrency=concurrency, health=health))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def one_place(count: int) -> list[ImageRegistered]:
    """Return events of one key, so of one partition."""
    image_id = image_registered().image_id
    return [image_registered(image_id=image_id, attempt=attempt) for attempt in range(1, count + 1)]


async def test_what_a_handler_returns_is_published_and_then_the_offset_committed() -> None:
    event_log, events = MemoryEventLog(), [image_registered() for _ in range(10)]
    await fill(event_log, *events)
    async with running(event_log, answer):
        await eventually(lambda: answered(event_log) == {event.event_id for event in events})
        await eventually(lambda: sum(event_log.committed("test").values()) == 10)
    assert len(event_log.events(ImageRejected)) == 10


async def test_a_failed_publish_commits_nothing_and_is_tried_without_handling() -> None:
    event_log, calls = MemoryEventLog(), Counter[UUID]()
    [event] = one_place(1)
    await fill(event_log, event)
    event_log.fail_next_publish(2)

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        calls[event.event_id] += 1
        return [outcome_of(event)]

    async with running(event_log, handler):
        await eventually(lambda: sum(event_log.committed("test").values()) == 1)
    assert answered(event_log) == {event.event_id}
    assert calls[event.event_id] == 1


async def test_an_outcome_that_is_published_twice_has_the_same_id_both_times() -> None:
    event_log, [event] = MemoryEventLog(), one_place(1)
    await fill(event_log, event)
    event_log.fail_next_publish(although_written=True)
    async with running(event_log, answer):
        await eventually(lambda: sum(event_log.committed("test").values()) == 1)
    assert [outcome.event_id for outcome in event_log.events(ImageRejected)] == [outcome_of(event).event_id] * 2


async def test_an_undecodable_message_is_a_dead_letter_with_its_value_and_place() -> None:
    event_log = MemoryEventLog()
    record = event_log.append(TOPIC, "a key", b"\xff\xfe")
    async with running(event_log, answer):
        [dead_letter] = await eventually(lambda: event_log.dead_letters(TOPIC))
        await eventually(lambda: event_log.committed("test") == {record.topic_partition: 1})
    assert (dead_letter.topic, dead_letter.partition, dead_letter.offset, dead_letter.key) == (
        TOPIC,
        record.partition,
        0,
        "a key",
    )
    assert dead_letter.value is None
    assert dead_letter.value_base64 == "//4="
    assert dead_letter.error == "InvalidMessage"
    assert dead_letter.handler == "test"


async def test_an_invalid_message_becomes_a_dead_letter_and_the_next_goes_on() -> None:
    event_log, events = MemoryEventLog(), one_place(3)
    await fill(event_log, *events)

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        if event.attempt == 2:
            raise InvalidMessage("attempt 2 makes no sense")
        return [outcome_of(event)]

    async with running(event_log, handler):
        await eventually(lambda: sum(event_log.committed("test").values()) == 3)
    assert [dead_letter.detail for dead_letter in event_log.dead_letters(TOPIC)] == ["attempt 2 makes no sense"]
    assert answered(event_log) == {events[0].event_id, events[2].event_id}


async def refuse(event: ImageRegistered) -> Sequence[Event]:
    raise InvalidMessage("a bad deploy refuses everything")


async def test_a_transient_error_is_tried_again_while_other_keys_go_on() -> None:
    event_log = MemoryEventLog()
    events = [image_registered() for _ in range(12)]
    await fill(event_log, *events)
    others_done = asyncio.Event()
    stuck = events[0].event_id
    health = Health()

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        if event.event_id == stuck and not others_done.is_set():
            raise TransientError("the store is away")
        return [outcome_of(event)]

    patient = RetryPolicy(first_seconds=0.01, longest_seconds=0.01, attempts=None)
    task = asyncio.create_task(
        run_handlers(
            event_log,
            group="test",
            source="pappus/jobs",
            subscriptions=[subscribe(ImageRegistered, handler)],
            health=health,
            retry=patient,
        )
    )
    await eventually(lambda: len(answered(event_log)) == 11)
    state = health.state("test")
    assert state is not None
    assert not state.ok
    assert "the store is away" in state.detail
    others_done.set()
    await eventually(lambda: len(answered(event_log)) == 12)
    await eventually(lambda: health.ready)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_transient_error_that_stays_stops_the_handler_uncommitted() -> None:
    event_log, [event] = MemoryEventLog(), one_place(1)
    await fill(event_log, event)

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        raise TransientError("the store is away")

    for _ in range(4):
        with pytest.raises(TransientError):
            await run(event_log, handler)
    assert not any(event_log.committed("test").values())
    assert not event_log.dead_letters(TOPIC)
    async with running(event_log, answer):
        await eventually(lambda: answered(event_log) == {event.event_id})


async def test_a_bug_stops_the_handler_twice_and_then_makes_a_dead_letter() -> None:
    event_log, events = MemoryEventLog(), one_place(5)
    await fill(event_log, *events)

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        if event.attempt == 3:
            raise KeyError("a bug")
        return [outcome_of(event)]

    for _ in range(2):
        with pytest.raises(KeyError, match="a bug"):
            await run(event_log, handler)
        assert not event_log.dead_letters(TOPIC)
    async with running(event_log, handler):
        await eventually(lambda: sum(event_log.committed("test").values()) == 5)
    [dead_letter] = event_log.dead_letters(TOPIC)
    assert (dead_letter.offset, dead_letter.error, dead_letter.attempts) == (2, "KeyError", 3)
    assert answered(event_log) == {event.event_id for event in events if event.attempt != 3}


async def test_after_a_bug_messages_are_taken_one_at_a_time_until_it_is_passed() -> None:
    event_log = MemoryEventLog()
    events = [image_registered() for _ in range(200)]
    await fill(event_log, *events)
    place = TopicPartition(TOPIC, 0)
    in_place = [record for record in event_log.records(TOPIC) if record.topic_partition == place]
    broken = in_place[5].key
    at_once: dict[str, int] = defaultdict(int)
    most_before: list[int] = []
    repaired = False

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        mine = any(record.key == event.key for record in in_place)
        if mine:
            at_once["now"] += 1
            if event.key == broken:
                most_before.append(at_once["most"])
            at_once["most"] = max(at_once["most"], at_once["now"])
        await asyncio.sleep(0.001)
        if mine:
            at_once["now"] -= 1
        if event.key == broken and not repaired:
            raise KeyError("a bug")
        return [outcome_of(event)]

    with pytest.raises(KeyError):
        await run(event_log, handler, concurrency=8)
    at_once.clear()
    repaired = True
    async with running(event_log, handler, concurrency=8):
        await eventually(lambda: answered(event_log) == {event.event_id for event in events})
    assert most_before[-1] <= 1
    assert at_once["most"] > 1


async def test_a_handler_that_is_cancelled_gets_its_unfinished_messages_again() -> None:
    event_log, events = MemoryEventLog(), [image_registered() for _ in range(6)]
    await fill(event_log, *events)
    started = asyncio.Event()

    async def hang(event: ImageRegistered) -> Sequence[Event]:
        started.set()
        await asyncio.Event().wait()
        return []

    async with running(event_log, hang, concurrency=3):
        await started.wait()
    async with running(event_log, answer):
        await eventually(lambda: answered(event_log) == {event.event_id for event in events})


async def test_a_rebalance_waits_for_work_in_flight_so_that_it_is_not_done_twice() -> None:
    event_log, calls = MemoryEventLog(), Counter[UUID]()
    events = [image_registered() for _ in range(8)]
    await fill(event_log, *events)
    release, started = asyncio.Event(), asyncio.Event()

    async def slow(event: ImageRegistered) -> Sequence[Event]:
        calls[event.event_id] += 1
        started.set()
        await release.wait()
        return [outcome_of(event)]

    async with running(event_log, slow, concurrency=8):
        await started.wait()
        async with running(event_log, slow, concurrency=8):
            release.set()
            await eventually(lambda: answered(event_log) == {event.event_id for event in events})
            await eventually(lambda: sum(event_log.committed("test").values()) == 8)
    assert max(calls.values()) == 1


async def test_a_commit_that_failed_while_the_log_was_away_is_made_later() -> None:
    event_log, events = MemoryEventLog(), one_place(2)
    await fill(event_log, *events)

    async def handler(event: ImageRegistered) -> Sequence[Event]:
        event_log.away = event.attempt == 2  # nothing to publish, but the commit that follows fails
        return []

    async with running(event_log, handler):
        await eventually(lambda: event_log.away)
        event_log.away = False
        await eventually(lambda: sum(event_log.committed("test").values()) == 2)


async def test_two_subscriptions_to_one_topic_are_refused() -> None:
    with pytest.raises(Exception, match="subscribes twice"):
        await run_handlers(
            MemoryEventLog(),
            group="test",
            source="pappus/jobs",
            subscriptions=[subscribe(ImageRegistered, answer), subscribe(ImageRegistered, answer)],
            health=Health(),
        )


@examples(0.4)
@given(
    keys=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    concurrency=st.integers(1, 5),
    crash_after=st.integers(0, 40),
)
def test_each_key_is_handled_in_order_and_only_finished_work_is_committed(
    keys: list[int], pauses: list[int], concurrency: int, crash_after: int
) -> None:
    """For all keys, durations, concurrencies and moments of a crash."""

    async def story() -> None:
        event_log = MemoryEventLog()
        ids = [image_registered().image_id for _ in range(6)]
        events = [image_registered(image_id=ids[key], attempt=number + 1) for number, key in enumerate(keys)]
        await fill(event_log, *events)
        handled: list[ImageRegistered] = []
        active: Counter[UUID] = Counter()

        async def handler(event: ImageRegistered) -> Sequence[Event]:
            active[event.image_id] += 1
            assert active[event.image_id] == 1, "one key at a time"
            for _ in range(pauses[event.attempt % len(pauses)]):
                await asyncio.sleep(0)
            active[event.image_id] -= 1
            handled.append(event)
            return [outcome_of(event)]

        async with running(event_log, handler, concurrency=concurrency):
            await eventually(lambda: len(handled) >= min(crash_after, len(events)))
        published = answered(event_log)
        for record in event_log.records(TOPIC):  # what is committed is published
            if record.offset < event_log.committed("test").get(record.topic_partition, 0):
                assert any(str(cause) in (record.value or b"").decode() for cause in published)
        active.clear()
        first_run = len(handled)
        async with running(event_log, handler, concurrency=concurrency):
            await eventually(lambda: answered(event_log) == {event.event_id for event in events})
            await eventually(lambda: sum(event_log.committed("test").values()) == len(events))
        for image_id in ids:
            for part in (handled[:first_run], handled[first_run:]):
                attempts = [event.attempt for event in part if event.image_id == image_id]
                assert attempts == sorted(attempts)

    asyncio.run(story())
