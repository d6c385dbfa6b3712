"""Decisions on a real table: who is first, and what is found again."""

import asyncio
from typing import Any

from services.ingestor.data.ledger import Ledger, enter
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.rejection import Rejection
from shared.contract.events import ImageRejected, ImageStored
from shared.tables.database import Database
from shared.testing import FixedClock, image_registered, image_stored


def image(sha256: str = "a", perceptual_hash: str = "0f") -> AcceptedImage:
    return AcceptedImage(sha256 * 64, 100, 8, 6, "PNG", perceptual_hash * 8)


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
        getattr(await ledger.store(image_registered(), image(sha256, look)), "group_id", None)
        for sha256, look in (("a", "0f"), ("b", "0f"), ("c", "f0"))
    ]
    assert groups[0] == groups[1] != groups[2]
    assert None not in groups


async def test_an_image_known_from_the_log_alone_is_known(tables: Database) -> None:
    event = image_stored(sha256="a" * 64)
    async with tables.transaction() as transaction:
        await enter(transaction, event)
        await enter(transaction, event)
    outcome = await Ledger(tables, FixedClock()).store(image_registered(), image("a"))
    assert isinstance(outcome, ImageRejected)
    assert outcome.duplicate_of == event.image_id
