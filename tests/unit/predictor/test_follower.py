"""What the log says should serve."""

import json
from typing import Literal

import pytest

from services.predictor.promotions.follower import PART
from shared.contract.events import EVENT_OF_TOPIC, ModelPromoted
from shared.messaging.codec import encode
from shared.runtime.health import Health
from shared.testing import MemoryEventLog, eventually
from tests.unit.predictor.following import following
from tests.unit.predictor.promotions import promotion

TOPIC = ModelPromoted.topic


async def publish(event_log: MemoryEventLog, *events: ModelPromoted) -> None:
    async with event_log.publisher("pappus/trainer") as publisher:
        await publisher.publish(events)


async def test_history_is_folded_before_the_first_target() -> None:
    event_log = MemoryEventLog()
    await publish(event_log, promotion(1), promotion(2), promotion(2, version="late"), promotion(3))
    async with following(event_log) as targets:
        await eventually(lambda: bool(targets))
    assert [target.sequence for target in targets] == [3]


async def test_an_empty_log_sets_no_promotion_and_then_follows() -> None:
    event_log = MemoryEventLog()
    async with following(event_log) as targets:
        await eventually(lambda: bool(targets))
        assert targets[0].wanted is None
        await publish(event_log, promotion(1))
        await eventually(lambda: len(targets) == 2)
        assert targets[1].wanted == promotion(1)


async def test_a_promotion_that_does_not_count_wakes_nobody() -> None:
    event_log = MemoryEventLog()
    await publish(event_log, promotion(1))
    async with following(event_log) as targets:
        await eventually(lambda: bool(targets))
        await publish(event_log, promotion(1), promotion(7))
        await publish(event_log, promotion(2))
        await eventually(lambda: len(targets) == 2)
    assert [target.sequence for target in targets] == [1, 2]


async def test_a_record_that_is_no_promotion_becomes_a_dead_letter() -> None:
    event_log = MemoryEventLog()
    await publish(event_log, promotion(1))
    event_log.append(TOPIC, "plants", b"not an event")
    await publish(event_log, promotion(2))
    async with following(event_log) as targets:
        await eventually(lambda: bool(targets) and targets[-1].sequence == 2)
        await eventually(lambda: len(event_log.dead_letters(TOPIC)) == 1)
    [dead_letter] = event_log.dead_letters(TOPIC)
    assert (dead_letter.value, dead_letter.key, dead_letter.error) == ("not an event", "plants", "InvalidMessage")


async def test_a_log_that_is_away_is_asked_again() -> None:
    event_log, health = MemoryEventLog(), Health()
    await publish(event_log, promotion(1))
    event_log.away = True
    async with following(event_log, health) as targets:
        await eventually(lambda: (state := health.state(PART)) is not None and not state.ok)
        event_log.away = False
        await eventually(lambda: bool(targets))
        await eventually(lambda: (state := health.state(PART)) is not None and state.ok)
    assert targets[0].sequence == 1


async def test_a_log_that_was_replaced_is_read_anew() -> None:
    event_log = MemoryEventLog()
    await publish(event_log, promotion(1), promotion(2))
    async with following(event_log) as targets:
        await eventually(lambda: bool(targets))
        event_log.clear()
        await publish(event_log, promotion(1, version="after-the-reset"))
        await eventually(lambda: targets[-1].wanted == promotion(1, version="after-the-reset"))


async def test_a_gap_in_the_promotions_is_red_until_it_is_filled() -> None:
    event_log, health = MemoryEventLog(), Health()
    await publish(event_log, promotion(1), promotion(3))
    async with following(event_log, health):
        await eventually(lambda: (state := health.state(PART)) is not None and "Promotion 2 is missing" in state.detail)
        assert not health.ok
        await publish(event_log, promotion(2))
        await eventually(lambda: health.ok)


class NewerModelPromoted(ModelPromoted):
    """The event as a newer release knows it."""

    lane: Literal["fast", "full", "medium"]  # type: ignore[assignment]


async def test_a_promotion_of_a_newer_release_stops_in_red_and_loses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    event_log, health = MemoryEventLog(), Health()
    await publish(event_log, promotion(1), promotion(2))
    event_log.append(TOPIC, "plants", of_newer_release(promotion(3)))
    await publish(event_log, promotion(4))
    async with following(event_log, health) as targets:
        await eventually(lambda: (state := health.state(PART)) is not None and "newer release" in state.detail)
        assert targets[-1].sequence == 2
        assert not event_log.dead_letters(TOPIC)
        monkeypatch.setitem(EVENT_OF_TOPIC, TOPIC, NewerModelPromoted)
        await eventually(lambda: bool(targets) and targets[-1].sequence == 4)
        await eventually(lambda: health.ok)


def of_newer_release(event: ModelPromoted) -> bytes:
    envelope = json.loads(encode(event, "pappus/trainer"))
    envelope["data"]["lane"] = "medium"
    return json.dumps(envelope).encode()
