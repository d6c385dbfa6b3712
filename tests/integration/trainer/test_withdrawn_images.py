"""An image that was taken back: it leaves training, tests and corrections at once, in any order of the topics."""

import pytest

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from shared.contract.events import AppliedCorrection, ImageWithdrawn
from shared.runtime.clock import utc_now
from shared.tables.projection import wait_until_caught_up
from shared.testing import image_withdrawn
from tests.integration.trainer.test_withdrawals import corrections, manifest, take_away, without
from tests.integration.trainer.trainer_env import Parts, Stored, World


async def withdraw(world: World, image: Stored) -> ImageWithdrawn:
    """A person takes the image back."""
    event = image_withdrawn(image_id=image.image_id, sha256=image.event.sha256, occurred_at=utc_now())
    await world.publish(event)
    return event


async def test_it_leaves_training_tests_and_corrections_at_once(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        gone = [await world.image("grass", "train"), await world.image("dandelion", "test", says="grass")]
        kept = await world.image("grass")
        await world.correct(gone[1], "dandelion")
        for image in gone:
            await withdraw(world, image)

        assert [sample.image_id for sample in (await manifest(world)).samples] == [kept.image_id]
        assert await corrections(world) == []
        digests = {sha256 for sha256, _ in await queries.newest_images(world.database, 10)}
        assert digests == {kept.event.sha256}
        assert await queries.object_keys(world.database, [image.event.sha256 for image in gone]) == {}


async def test_its_correction_is_gone_from_the_next_candidate(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        await world.verdict(await world.full())
        kept = await world.image("grass", says="dandelion")
        before = (await world.live(await world.correct(kept, "grass"))).model
        image = await world.image("grass")
        await world.live(await world.correct(image, "dandelion"))

        event = await withdraw(world, image)

        after = await without(world, image.image_id)
    assert (after.corrections, after.weights_sha256) == (before.corrections, before.weights_sha256)
    assert event.event_id in after.causes


async def test_a_correction_that_comes_after_the_withdrawal_is_not_made(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        image = await world.image("grass")
        await withdraw(world, image)
        await world.correct(image, "dandelion")

        assert (await manifest(world)).samples == ()
        assert await corrections(world) == []


async def test_a_model_holds_nothing_of_it_whatever_the_tables_show(world: World, parts: Parts) -> None:
    """The fast lane takes out what the champion holds, also a correction that is folded later than the withdrawal."""
    async with parts.running("projection"):
        event = await withdraw(world, await world.image("grass"))
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        [retraction] = await queries.retractions(world.database)

    assert (retraction.image_id, retraction.event_id) == (event.image_id, event.event_id)
    assert retraction.takes_back(AppliedCorrection(image_id=event.image_id, revision=7))


@pytest.mark.parametrize("side", ["train", "test"])
async def test_a_label_that_was_taken_back_leaves_both_sides_at_once(world: World, parts: Parts, side: str) -> None:
    async with parts.running("projection"):
        image = await world.image("grass", "test" if side == "test" else "train", trust="claimed")
        await world.correct(image, "dandelion")
        [sample] = (await manifest(world)).samples
        assert (sample.side, sample.label) == (side, "dandelion")

        await take_away(world, image, 2)

        assert (await manifest(world)).samples == ()
