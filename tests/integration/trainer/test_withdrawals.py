"""A label that was taken away: samples, corrections and the next model are as they were before it."""

from typing import Any
from uuid import UUID

import pytest

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.manifest import Manifest, manifest_of
from shared.contract.events import HeldLabel, LabelCorrected, ModelPromoted, ModelTrained
from shared.runtime.clock import utc_now
from shared.tables.projection import wait_until_caught_up
from shared.testing import eventually, label_corrected
from tests.integration.trainer.trainer_env import Parts, Stored, World


async def take_away(world: World, image: Stored, revision: int, **changes: Any) -> LabelCorrected:
    """A person takes the label of an image away."""
    values: dict[str, Any] = {
        "image_id": image.image_id,
        "label_to": None,
        "no_label": "withdrawn",
        "revision": revision,
    }
    event = label_corrected(**{**values, "occurred_at": utc_now(), **changes})
    await world.publish(event)
    return event


async def manifest(world: World) -> Manifest:
    """Return what a full training would be made from now."""
    await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
    return manifest_of(await queries.labelled_samples(world.database))


async def corrections(world: World) -> list[tuple[UUID, int, str]]:
    """Return what the fast lane wants in a model now."""
    await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
    found = await queries.applied_corrections(world.database)
    return [(one.image_id, one.revision, one.label) for one in found]


@pytest.mark.parametrize("trust", ["seed", "claimed"])
async def test_a_withdrawal_gives_the_data_set_of_before(world: World, parts: Parts, trust: str) -> None:
    async with parts.running("projection"):
        image = await world.image("grass", trust=trust)
        await world.image("dandelion")
        before = await manifest(world), await corrections(world)
        await world.correct(image, "dandelion")
        assert (await manifest(world)) != before[0]

        await take_away(world, image, 2)

        assert (await manifest(world), await corrections(world)) == before


async def test_a_withdrawn_second_label_restores_the_first(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        image = await world.image("grass")
        await world.correct(image, "dandelion")
        before = await manifest(world), await corrections(world)
        await world.correct(image, "grass", 2)

        await take_away(world, image, 3, restored=HeldLabel(revision=1, label="dandelion"))

        assert (await manifest(world), await corrections(world)) == before


@pytest.mark.parametrize("why", ["unusable", "none_of_these", "unsure"])
async def test_an_image_without_a_label_is_not_trained_on(world: World, parts: Parts, why: str) -> None:
    async with parts.running("projection"):
        image = await world.image("grass", trust="seed")
        await take_away(world, image, 1, no_label=why)

        assert (await manifest(world)).samples == ()
        assert await corrections(world) == []


async def test_the_model_after_an_undo_equals_the_model_before(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        await world.verdict(await world.full())
        kept = await world.image("grass", says="dandelion")
        before = (await world.live(await world.correct(kept, "grass"))).model
        misclicked = await world.image("grass")
        await world.live(await world.correct(misclicked, "dandelion"))

        undo = await take_away(world, misclicked, 2)

        after = await without(world, misclicked.image_id)
    assert after.corrections == before.corrections
    assert (after.weights_sha256, after.manifest_sha256) == (before.weights_sha256, before.manifest_sha256)
    assert undo.event_id in after.causes
    promotion = (await world.champion()).promotion
    [reason] = [one.sentence for one in promotion.verdict if one.rule == "reason"]
    assert reason == "The reason to change: 1 correction that was taken back."


async def test_undoing_the_only_correction_leaves_an_empty_layer(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        await world.verdict(await world.full())
        image = await world.image("grass")
        await world.live(await world.correct(image, "dandelion"))

        await take_away(world, image, 2)

        assert (await without(world, image.image_id)).corrections == ()


async def without(world: World, image_id: UUID) -> ModelTrained:
    """Return the champion once it holds no correction of the image."""

    async def there() -> ModelTrained | None:
        champion = await queries.champion(world.database)
        held = {one.image_id for one in champion.model.held} if champion else {image_id}
        return None if champion is None or image_id in held else champion.model

    found = await eventually(there, 20)
    assert found is not None
    assert isinstance((await world.champion()).promotion, ModelPromoted)
    return found
