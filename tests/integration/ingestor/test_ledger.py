"""Decisions on a real table: who is first, and what is found again."""

import asyncio
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from services.ingestor.data.ledger import Ledger, enter
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.looks import Look, look_of
from shared.contract.events import ImageRegistered, ImageRejected, ImageStored
from shared.runtime.errors import TransientError
from shared.tables.database import Connection, Database
from shared.testing import FixedClock, eventually, image_registered, image_stored
from shared.web.rejection import Rejection


def look(seed: int) -> Look:
    """Return the look of a picture like no other."""
    grid = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return look_of(grid.repeat(16, 0).repeat(16, 1))


def image(sha256: str = "a", perceptual_hash: str = "0f", look_like: int = 0) -> AcceptedImage:
    return AcceptedImage(sha256 * 64, 100, 8, 6, "PNG", perceptual_hash * 8, sha256 * 64, look(look_like))


async def test_one_of_many_images_with_the_same_bytes_is_stored(tables: Database) -> None:
    ledger = Ledger(tables, FixedClock())
    outcomes = await asyncio.gather(*(ledger.store(image_registered(), image()) for _ in range(12)))
    (first,) = [outcome for outcome in outcomes if isinstance(outcome, ImageStored)]
    others = [outcome for outcome in outcomes if isinstance(outcome, ImageRejected)]
    assert {(other.reason, other.duplicate_of) for other in others} == {("duplicate", first.image_id)}
    assert len(others) == 11


async def test_a_decision_is_found_again_whatever_the_clock_and_the_bytes_say(tables: Database) -> None:
    clock = FixedClock()
    ledger, event = Ledger(tables, clock), image_registered()
    first = await ledger.store(event, image("a"))
    clock.move(60)
    assert await ledger.store(event, image("b")) == first
    assert await ledger.reject(event, Rejection("timeout", "late")) == first
    assert await ledger.outcome(event) == first


async def test_a_rejection_holds_for_its_attempt_only(tables: Database) -> None:
    ledger, event = Ledger(tables, FixedClock()), image_registered()
    rejected = await ledger.reject(event, Rejection("timeout", "slow", retryable=True))
    assert await ledger.outcome(event) == rejected
    again = event.model_copy(update={"attempt": 2})
    assert await ledger.outcome(again) is None
    stored = await ledger.store(again, image())
    assert await ledger.outcome(event) == stored


async def test_images_that_look_alike_share_a_group(tables: Database) -> None:
    ledger = Ledger(tables, FixedClock())
    groups: list[Any] = [
        getattr(await ledger.store(image_registered(), image(sha256, "0f", like)), "group_id", None)
        for sha256, like in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert groups[0] == groups[1] != groups[2]
    assert None not in groups


async def test_an_image_known_from_the_log_alone_is_known(tables: Database) -> None:
    event = image_stored(sha256="a" * 64)
    async with tables.transaction() as transaction:
        await enter(transaction, [event])
        await enter(transaction, [event])
    outcome = await Ledger(tables, FixedClock()).store(image_registered(), image("a"))
    assert isinstance(outcome, ImageRejected)
    assert outcome.duplicate_of == event.image_id


async def test_of_images_decided_together_the_first_to_come_holds_the_bytes(tables: Database) -> None:
    ledger = Ledger(tables, FixedClock())
    events = [image_registered() for _ in range(6)]
    outcomes = await asyncio.gather(*(ledger.store(event, image("abc"[n // 2])) for n, event in enumerate(events)))
    assert [type(outcome) for outcome in outcomes] == [ImageStored, ImageRejected] * 3
    holders = [getattr(outcome, "duplicate_of", None) for outcome in outcomes]
    assert holders == [None, events[0].image_id, None, events[2].image_id, None, events[4].image_id]


async def test_two_copies_that_decide_about_the_same_rows_agree(tables: Database) -> None:
    copies, events = [Ledger(tables, FixedClock()) for _ in range(2)], [image_registered() for _ in range(60)]

    async def decide(ledger: Ledger, event: ImageRegistered, number: int) -> tuple[int, str]:
        if number % 3 == 0:
            outcome = await ledger.reject(event, Rejection("timeout", "slow"))
        else:
            outcome = await ledger.store(event, image(f"{number // 2 % 16:x}"))
        return number, outcome.model_dump_json()

    calls = [decide(ledger, event, number) for ledger in copies for number, event in enumerate(events)]
    random.Random(5).shuffle(calls)
    found = await asyncio.gather(*calls)
    assert Counter(number for number, _ in found) == dict.fromkeys(range(60), 2)
    assert len(set(found)) == 60
    stored = await tables.fetch("SELECT sha256 FROM ledger WHERE sha256 IS NOT NULL")
    assert len({row["sha256"] for row in stored}) == len(stored)


async def test_one_registration_that_comes_twice_at_once_is_decided_once(tables: Database) -> None:
    ledger, event = Ledger(tables, FixedClock()), image_registered()
    first, second, third = await asyncio.gather(
        ledger.store(event, image("a")), ledger.store(event, image("b")), ledger.reject(event, Rejection("empty", ""))
    )
    assert first == second == third
    assert await tables.fetchval("SELECT count(*) FROM ledger") == 1


async def test_a_transaction_that_is_lost_leaves_no_decision_of_several(tables: Database) -> None:
    ledger, events = Ledger(tables, FixedClock()), [image_registered() for _ in range(3)]
    async with tables.connection() as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", f"{tables.schema}.ledger")
        calls = [asyncio.create_task(ledger.store(event, image(str(n)))) for n, event in enumerate(events)]
        await eventually(lambda: _end_what_waits_for_a_lock(other))
        for call in calls:
            with pytest.raises(TransientError):
                await call
    assert [await ledger.outcome(event) for event in events] == [None] * 3
    outcomes = await asyncio.gather(*(ledger.store(event, image(str(n))) for n, event in enumerate(events)))
    assert [type(outcome) for outcome in outcomes] == [ImageStored] * 3


async def _end_what_waits_for_a_lock(connection: Connection) -> bool:
    ended = await connection.fetch(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND usename = current_user AND wait_event = 'advisory'"""
    )
    return bool(ended)


async def test_it_knows_which_bytes_are_held(tables: Database) -> None:
    ledger = Ledger(tables, FixedClock())
    await ledger.store(image_registered(), image("a"))
    await ledger.reject(image_registered(), Rejection("timeout", "slow"))
    assert [await ledger.holds("a" * 64), await ledger.holds("b" * 64)] == [True, False]
