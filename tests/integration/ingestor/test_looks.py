"""Groups on a real table: copies share a side, in any number of ingestors, and no image joins two sides."""

import asyncio
from uuid import UUID

import cv2
import numpy as np
from numpy.typing import NDArray

from services.ingestor.data.ledger import Ledger
from services.ingestor.data.looks import Looks
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.looks import Look, look_of
from shared.contract.events import ImageStored
from shared.contract.split import Side, side
from shared.tables.database import Database
from shared.testing import FixedClock, image_registered, image_withdrawn


def picture(seed: int) -> NDArray[np.uint8]:
    """Return uint8 [120, 160, 3] with spots of colour."""
    spots = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(spots, (160, 120), interpolation=cv2.INTER_CUBIC), np.uint8)


async def store(ledger: Ledger, look: Look, image_id: UUID | None = None) -> ImageStored:
    """Decide about an image with bytes of its own."""
    event = image_registered(image_id=image_id) if image_id else image_registered()
    digest = event.image_id.hex * 2
    outcome = await ledger.store(event, AcceptedImage(digest, 100, 8, 6, "PNG", digest[:16], digest, look))
    assert isinstance(outcome, ImageStored)
    return outcome


def on(wanted: Side, start: int) -> UUID:
    """Return an image whose own group is on this side."""
    return next(UUID(int=number) for number in range(start, start + 1000) if side(str(UUID(int=number))) == wanted)


async def test_copies_join_the_group_of_the_first(tables: Database) -> None:
    ledger, original = Ledger(tables, FixedClock()), picture(1)
    first = await store(ledger, look_of(original))

    cropped = await store(ledger, look_of(np.ascontiguousarray(original[6:114, 8:152])))
    mirrored = await store(ledger, look_of(np.ascontiguousarray(original[:, ::-1])))
    other = await store(ledger, look_of(picture(2)))

    assert {cropped.group_id, mirrored.group_id} == {first.group_id} == {str(first.image_id)}
    assert other.group_id == str(other.image_id)


async def test_copies_that_come_at_once_to_two_ingestors_share_a_group(tables: Database) -> None:
    ledgers, looks = [Ledger(tables, FixedClock()) for _ in range(2)], [look_of(picture(seed)) for seed in range(3)]

    stored = await asyncio.gather(*(store(ledgers[n % 2], looks[n % 3]) for n in range(18)))

    groups = [{each.group_id for each in stored[n::3]} for n in range(3)]
    assert [len(each) for each in groups] == [1, 1, 1]
    assert len(set.union(*groups)) == 3


async def test_what_resembles_both_sides_is_quarantined_and_draws_no_other_in(tables: Database) -> None:
    ledger, original = Ledger(tables, FixedClock()), picture(3)
    left, right = original[:, :136], original[:, 24:]  # too different from each other to be found
    first = await store(ledger, look_of(np.ascontiguousarray(left)), on("train", 1))
    second = await store(ledger, look_of(np.ascontiguousarray(right)), on("test", 5000))
    assert first.group_id != second.group_id

    between = await store(ledger, look_of(original))

    assert between.joins == (first.group_id, second.group_id)
    assert await tables.fetchval("SELECT count(*) FROM looks") == 2


async def test_a_restarted_ingestor_knows_the_looks_of_before(tables: Database) -> None:
    first = await store(Ledger(tables, FixedClock()), look_of(picture(4)))

    again = await store(Ledger(tables, FixedClock()), look_of(picture(4)))

    assert again.group_id == first.group_id


async def test_a_withdrawn_image_is_not_found_any_more(tables: Database) -> None:
    ledgers = [Ledger(tables, FixedClock()) for _ in range(2)]
    first = await store(ledgers[0], look_of(picture(5)))
    kept = [await store(ledger, look_of(picture(6))) for ledger in ledgers]  # both have read the first one's hashes

    await ledgers[0].withdraw(image_withdrawn(image_id=first.image_id, sha256=first.sha256))

    assert await tables.fetchval("SELECT count(*) FROM looks WHERE image_id = $1", first.image_id) == 0
    again = [await store(ledger, look_of(picture(5))) for ledger in ledgers]
    assert [each.group_id for each in again] == [str(again[0].image_id)] * 2
    assert (await store(ledgers[1], look_of(picture(6)))).group_id == kept[0].group_id


async def test_an_image_that_is_withdrawn_during_a_search_is_not_joined(tables: Database) -> None:
    ledger, looks = Ledger(tables, FixedClock()), Looks(tables)
    first = await store(ledger, look_of(picture(7)))
    [comparison] = compared = await looks.compare([look_of(picture(7))])
    assert len(comparison.copies) == 1

    await ledger.withdraw(image_withdrawn(image_id=first.image_id, sha256=first.sha256))

    async with tables.transaction() as transaction:
        assert (await looks.finish(transaction, compared)).find(comparison) == []


async def test_an_image_is_compared_with_those_decided_before_it_in_its_batch(tables: Database) -> None:
    looks, seen = Looks(tables), look_of(picture(8))
    [first, second] = compared = await looks.compare([seen, look_of(np.ascontiguousarray(picture(8)[:, ::-1]))])
    async with tables.transaction() as transaction:
        resembling = await looks.finish(transaction, compared)
        assert resembling.find(first) == []
        resembling.add(UUID(int=1), "one", seen)
        assert resembling.find(second) == ["one"]
        await resembling.save(transaction)

    assert len((await looks.compare([seen]))[0].copies) == 1
