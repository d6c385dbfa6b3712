"""An image that was taken back: its bytes are deleted, and do not come in again."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from services.ingestor.data.ledger import Ledger, enter
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.looks import look_of
from services.ingestor.decisions.withdrawn import WithdrawnBytes
from services.ingestor.withdrawals import Withdrawals
from shared.contract.events import ImageStored, ImageWithdrawn
from shared.messaging.event_log import EventLog
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.settings import GroupSettings
from shared.tables.database import Database
from shared.testing import (
    FixedClock,
    MemoryEventLog,
    MemoryObjectStore,
    eventually,
    image_registered,
    image_stored,
    image_withdrawn,
)

BYTES = b"the bytes of an image"
DIGEST = hashlib.sha256(BYTES).hexdigest()
LOOK = look_of(np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8))
FACTS = AcceptedImage(DIGEST, len(BYTES), 8, 6, "PNG", "0f" * 8, DIGEST, LOOK)


async def stored_image(ledger: Ledger, store: MemoryObjectStore) -> ImageStored:
    """Store the bytes as a fetcher does."""
    await store.put(FACTS.object_key, BYTES)
    outcome = await ledger.store(image_registered(), FACTS)
    assert isinstance(outcome, ImageStored)
    return outcome


@asynccontextmanager
async def two_of(event_log: EventLog, ledger: Ledger, store: MemoryObjectStore) -> AsyncIterator[None]:
    """Run the handler twice, as two processes do."""
    groups: GroupSettings = {"member": None, "dead_letters_in_a_row": 20}
    running = [Withdrawals(ledger, store).run(event_log, Health(), groups) for _ in range(2)]
    tasks = [asyncio.create_task(each) for each in running]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def withdrawal_of(stored: ImageStored) -> ImageWithdrawn:
    return image_withdrawn(image_id=stored.image_id, sha256=stored.sha256)


async def test_the_bytes_are_deleted_and_a_repetition_changes_nothing(tables: Database) -> None:
    store, ledger = MemoryObjectStore(), Ledger(tables, FixedClock())
    stored = await stored_image(ledger, store)
    event = withdrawal_of(stored)
    for _ in range(2):
        assert await Withdrawals(ledger, store).on_image_withdrawn(event) == []
    assert store.objects == {}
    assert await tables.fetchval("SELECT count(*) FROM tombstones") == 1


async def test_the_same_bytes_are_refused_and_the_reason_names_the_withdrawal(tables: Database) -> None:
    store, ledger = MemoryObjectStore(), Ledger(tables, FixedClock())
    stored = await stored_image(ledger, store)
    await Withdrawals(ledger, store).on_image_withdrawn(withdrawal_of(stored))
    again = image_registered()

    refusal = await ledger.refusal(again, DIGEST)
    with pytest.raises(WithdrawnBytes, match="olga withdrew"):
        await ledger.store(again, FACTS)

    assert refusal is not None
    assert (refusal.reason, refusal.retryable) == ("withdrawn", False)
    assert str(stored.image_id) in refusal.detail
    assert refusal.detail.endswith("The owner asks for it.")


async def test_the_image_itself_is_refused_whatever_its_source_gives_now(tables: Database) -> None:
    store, ledger = MemoryObjectStore(), Ledger(tables, FixedClock())
    stored = await stored_image(ledger, store)
    await Withdrawals(ledger, store).on_image_withdrawn(withdrawal_of(stored))
    again = image_registered(image_id=stored.image_id)

    assert await ledger.outcome(again) is None  # it was stored, and is not any more
    assert await ledger.refusal(again) is not None
    with pytest.raises(WithdrawnBytes):
        await ledger.store(again, AcceptedImage("b" * 64, 100, 8, 6, "PNG", "0f" * 8, "b" * 64, LOOK))


async def test_a_withdrawal_that_comes_before_all_else_holds(tables: Database) -> None:
    ledger, registered = Ledger(tables, FixedClock()), image_registered()
    await ledger.withdraw(image_withdrawn(image_id=registered.image_id, sha256=DIGEST))
    with pytest.raises(WithdrawnBytes):
        await ledger.store(registered, FACTS)
    async with tables.transaction() as transaction:  # the stored event of a log that was read late
        await enter(transaction, [image_stored(image_id=registered.image_id, sha256=DIGEST)])
    assert await tables.fetchval("SELECT count(*) FROM ledger") == 0


async def test_a_store_that_is_away_is_tried_again_and_ends_well(tables: Database) -> None:
    """The tombstone is there first: what died between it and the store is done at the next delivery."""
    store, ledger, event_log = MemoryObjectStore(), Ledger(tables, FixedClock()), MemoryEventLog()
    event = withdrawal_of(await stored_image(ledger, store))
    store.away = True
    with pytest.raises(TransientError):
        await Withdrawals(ledger, store).on_image_withdrawn(event)
    assert await tables.fetchval("SELECT count(*) FROM tombstones") == 1
    store.away = False
    async with event_log.publisher("pappus/jobs") as publisher, two_of(event_log, ledger, store):
        await publisher.publish([event, event])
        assert await eventually(lambda: not store.objects)
