"""Copies of a picture: the later decision about either counts for both, in data sets and in models, and what resembles
both sides of the split is in no data set."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

from services.trainer.data import queries
from services.trainer.data.projection import PROJECTORS, TOPICS
from services.trainer.dataset.records import Champion
from shared.contract.events import Event, HeldLabel, LabelCorrected
from shared.runtime.clock import utc_now
from shared.tables.projection import Transaction, wait_until_caught_up
from shared.testing import eventually, image_stored, image_withdrawn, label_corrected
from shared.testing.events import NOON
from tests.integration.trainer.trainer_env import Parts, Stored, World, png

PIXELS = "a" * 64


async def labels(world: World) -> list[tuple[UUID, str, int]]:
    """Return what a full training would be made from now."""
    await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
    return [(one.image_id, one.label, one.revision) for one in await queries.labelled_samples(world.database)]


async def corrections(world: World) -> list[tuple[UUID, str, int]]:
    """Return what the fast lane wants in a model now."""
    await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
    found = await queries.applied_corrections(world.database)
    return [(one.image_id, one.label, one.revision) for one in found]


async def pair(world: World, **changes: Any) -> tuple[Stored, Stored]:
    """Store a picture twice, the second time in another file."""
    one = await world.image("grass", pixels_sha256=PIXELS, **changes)
    data = png(one.pixels) + b"\0"
    await world.store.put(key := "images/again", data)
    copy = one.event.model_copy(update={"sha256": sha256(data).hexdigest(), "object_key": key})
    values = {**copy.model_dump(), "image_id": uuid4(), "trust": "claimed"}
    del values["event_id"]
    other = replace(one, event=image_stored(**values))
    await world.publish(other.event)
    return one, other


async def test_the_later_of_two_labels_counts_for_both(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        one, other = await pair(world)

        await world.correct(one, "grass", occurred_at=NOON)
        await world.correct(other, "dandelion", occurred_at=NOON + timedelta(seconds=1))

        assert await labels(world) == await corrections(world) == [(other.image_id, "dandelion", 1)]

        await world.correct(one, "grass", 2, occurred_at=NOON + timedelta(seconds=2))

        assert await labels(world) == await corrections(world) == [(one.image_id, "grass", 2)]


async def test_the_earlier_label_holds_again_after_a_withdrawal(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        one, other = await pair(world)
        await world.correct(one, "grass", occurred_at=NOON)
        await world.correct(other, "dandelion", occurred_at=NOON + timedelta(seconds=1))

        await world.publish(label_corrected(image_id=other.image_id, label_to=None, no_label="withdrawn", revision=2))

        assert await corrections(world) == [(one.image_id, "grass", 1)]


async def test_a_copy_without_any_label_changes_nothing(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        one, _ = await pair(world)

        assert await labels(world) == [(one.image_id, "grass", 0)]


async def test_the_model_answers_both_with_the_later_label(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        await world.verdict(await world.full())
        one, other = await pair(world, trust="claimed")
        await world.live(await world.correct(one, "grass"))

        later = await world.correct(other, "dandelion")

        champion = await world.live(later)
        assert [held.image_id for held in champion.model.held] == [other.image_id]
        assert later.event_id in champion.model.causes

        undo = label_corrected(
            image_id=other.image_id, label_to=None, no_label="withdrawn", revision=2, occurred_at=utc_now()
        )
        await world.publish(undo)

        async def restored() -> Champion | None:
            found = await queries.champion(world.database)
            held = {held.image_id for held in found.model.held} if found else set()
            return found if held == {one.image_id} else None

        assert await eventually(restored, 20) is not None


async def test_a_quarantined_image_is_in_no_data_set_and_its_label_is_live(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        image = await world.image("grass", joins=("one", "two"))
        assert await labels(world) == []

        await world.correct(image, "dandelion")

        assert await labels(world) == []
        assert await corrections(world) == [(image.image_id, "dandelion", 1)]


STORED = tuple(
    image_stored(image_id=UUID(int=number), pixels_sha256=PIXELS, group_id="one", event_id=uuid4()) for number in (1, 2)
)


def corrected(number: int, label: str, revision: int, second: int, **changes: Any) -> LabelCorrected:
    """Return a decision about one of the two images, so many seconds after noon."""
    at = NOON + timedelta(seconds=second)
    return label_corrected(image_id=UUID(int=number), label_to=label, revision=revision, occurred_at=at, **changes)


RESTORED = label_corrected(
    image_id=UUID(int=1),
    label_to=None,
    no_label="withdrawn",
    restored=HeldLabel(revision=1, label="grass"),
    revision=3,
    occurred_at=NOON + timedelta(seconds=9),
)
STREAMS: tuple[tuple[Event, ...], ...] = (
    (STORED[0],),
    (STORED[1],),
    (corrected(1, "grass", 1, 1), corrected(1, "dandelion", 2, 3), RESTORED),
    (corrected(2, "dandelion", 1, 2),),
)
"""Each of one key of one topic, which alone has an order."""


TABLES = "images, corrections, same_pixels, shown_answers, withdrawn_images"


async def apply_in_every_order(world: World, streams: tuple[tuple[Event, ...], ...]) -> AsyncIterator[Transaction]:
    """Give the tables after each order of the streams, with every event twice, and empty them."""
    apply = {projector.event: projector.apply for projector in PROJECTORS}
    for order in permutations(streams):
        async with world.database.transaction() as transaction:
            for event in (event for stream in order for event in stream * 2):
                await apply[type(event)](event, transaction)
            yield transaction
            await transaction.execute(f"TRUNCATE {TABLES}")


async def test_any_order_between_topics_gives_one_label(world: World) -> None:
    async for transaction in apply_in_every_order(world, STREAMS):
        found = await queries.applied_corrections(transaction)
        assert [(one.image_id, one.label) for one in found] == [(UUID(int=2), "dandelion")]


async def test_a_withdrawn_image_decides_nothing_in_any_order(world: World) -> None:
    withdrawn = image_withdrawn(image_id=UUID(int=2), sha256=STORED[1].sha256)
    async for transaction in apply_in_every_order(world, (*STREAMS, (withdrawn,))):
        found = await queries.applied_corrections(transaction)
        assert [(one.image_id, one.label) for one in found] == [(UUID(int=1), "grass")]
        assert await transaction.fetchval("SELECT count(*) FROM same_pixels") == 0
        taken = [(one.image_id, one.revision, one.held_revision) for one in await queries.retractions(transaction)]
        assert taken == [(UUID(int=1), 3, 1), (UUID(int=2), queries.AFTER_ALL_REVISIONS, 0)]


async def test_of_three_images_the_two_that_are_left_are_decided_again(world: World) -> None:
    third = image_stored(image_id=UUID(int=3), pixels_sha256=PIXELS, group_id="one", event_id=uuid4(), label=None)
    withdrawn = image_withdrawn(image_id=UUID(int=2), sha256=STORED[1].sha256)
    streams = ((*STORED, third), STREAMS[2], STREAMS[3], (corrected(3, "grass", 1, 0),), (withdrawn,))
    async for transaction in apply_in_every_order(world, streams):
        found = await queries.applied_corrections(transaction)
        assert [(one.image_id, one.label) for one in found] == [(UUID(int=1), "grass")]
        taken = [(one.image_id, one.revision, one.held_revision) for one in await queries.retractions(transaction)]
        assert taken == [
            (UUID(int=1), 3, 1),
            (UUID(int=2), queries.AFTER_ALL_REVISIONS, 0),
            (UUID(int=3), 1, 0),
        ]
