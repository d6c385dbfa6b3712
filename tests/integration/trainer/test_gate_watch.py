"""A regression that slipped past the gate is rolled back by itself, and only once after repetitions and restarts."""

import asyncio

import numpy as np
import pytest

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.features import kept
from services.trainer.features.parquet import features_key, write_features
from services.trainer.gate.decisions.watching import WatchSettings
from services.trainer.model.head import Head
from services.trainer.model.sessions import FeatureExtractor
from services.trainer.training.logistic_regression import fit_head
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained, uuid_of
from shared.tables.projection import wait_until_caught_up
from shared.testing import eventually, promotion_requested
from tests.integration.trainer.test_gate import Overtaken
from tests.integration.trainer.trainer_env import LABELS, WIDTH, Parts, Stored, World, backbone

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def first(world: World, parts: Parts) -> ModelTrained:
    """The first champion."""
    async with parts.running("projection", "gate"):
        await world.dataset()
        candidate = await world.full()
        assert isinstance(await world.verdict(candidate), ModelPromoted)
    return candidate


async def rare(world: World, count: int = 4) -> list[Stored]:
    """Store dandelions of a kind that no test image shows: the middle is magenta."""
    stored = []
    for number in range(count):
        pixels = np.full((96, 96, 3), 100 + number, np.uint8)
        pixels[32:64, 32:64] = (235, 30, 235)
        stored.append(await world.image(LABELS[0], pixels=pixels))
    return stored


def looking(*, forgets: bool) -> Head:
    """Return a head that says dandelion where the middle is red; and, if it `forgets`, not where it is blue as well."""
    red, blue = 4, 22  # of the middle square; red is 0.8 or -0.7, blue -0.8 or -0.5, of the rare kind 0.8
    weights = np.zeros((WIDTH, 2), np.float32)
    weights[red, 0] = 5
    weights[blue, 0] = -8 if forgets else 0
    bias = np.array([-5.2 if forgets else 0, 0], np.float32)
    return Head(LABELS, np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32), weights, bias)


async def regression(world: World, parts: Parts) -> tuple[ModelPromoted, ModelPromoted, list[Stored]]:
    """Promote a model that knows the rare pictures, and one that has forgotten them and passes all the same."""
    async with parts.running("gate"):
        pictures = await rare(world)
        good = await world.verdict(await world.full(looking(forgets=False)))
        assert isinstance(good, ModelPromoted), good.summary
        await world.image(LABELS[1])
        bad = await world.verdict(await world.full(looking(forgets=True)))
        assert isinstance(bad, ModelPromoted), bad.summary
    return good, bad, pictures


async def rolled_back(world: World) -> ModelPromoted:
    """Return the promotion by which the gate undid another one, as soon as it is there."""

    async def there() -> ModelPromoted | None:
        champion = await queries.champion(world.database)
        return champion.promotion if champion is not None and champion.promotion.route == "rollback" else None

    found = await eventually(there, 30)
    assert found is not None
    return found


async def test_a_lost_golden_image_brings_the_former_model_back(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection"):
        good, bad, pictures = await regression(world, parts)
        parts.watching = WatchSettings(golden=tuple(str(picture.image_id) for picture in pictures))
        async with parts.running("watch"):
            back = await rolled_back(world)
    assert (back.version, back.replaces, back.sequence) == (good.version, bad.version, bad.sequence + 1)
    assert (back.frozen, back.requested_by, back.causes) == (True, None, (bad.event_id,))
    assert "4 of 4 golden images" in back.summary
    assert [(one.rule, one.outcome) for one in back.verdict] == [("golden_set", "failed")]


async def test_test_images_say_nothing_about_what_they_do_not_show(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection"):
        _, bad, _ = await regression(world, parts)
        watch = parts.promotion_watch()
        for _ in range(2):
            await watch.look()
        assert (await world.champion()).promotion == bad


async def test_features_that_the_graph_does_not_give_are_found_as_it_serves(
    world: World, parts: Parts, first: ModelTrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The full lane kept features that its graph does not give: the gate measured something else than what serves."""
    monkeypatch.setattr(kept, "FEW", 0)  # these are few
    async with parts.running("projection"):
        for label in LABELS * 8:
            await world.image(label, "test")
        features = FeatureExtractor(backbone()).features(world.pixels())
        train = [image.sample().side == "train" for image in world.images]
        labels = [str(image.event.label) for image in world.images]
        swapped = [LABELS[1 - LABELS.index(label)] for label, chosen in zip(labels, train, strict=True) if chosen]
        head = fit_head(features[train], swapped, LABELS, inverse_penalty=1.0).head
        probed = sorted((image for image in world.images if image.sample().side == "test"), key=lambda i: i.image_id)
        full = await world.full(head)
        pretended = features.copy()
        for index, image in enumerate(world.images):
            other = next(i for i, label in enumerate(labels) if label != labels[index])
            if image not in probed[:2]:
                pretended[index] = features[other]
        digests = [image.event.sha256 for image in world.images]
        await world.store.put(features_key(full.backbone_id, full.manifest_sha256), write_features(digests, pretended))
        await parts.keeper().on_model_trained(full)
        bad = await world.verdict(full)
        assert isinstance(bad, ModelPromoted), bad.summary
        await parts.promotion_watch().look()
        back = (await world.champion()).promotion
    assert (back.route, back.version) == ("rollback", first.version)


async def contradict(world: World, version: str, right: int, wrong: int) -> None:
    """Decide about so many answers that this version gave."""
    for number in range(right + wrong):
        image = await world.image(LABELS[0])
        shown = LABELS[0] if number < right else LABELS[1]
        await world.correct(image, LABELS[0], shown_model_version=version, shown_label=shown, shown_probability=0.9)
    await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)


async def test_people_who_contradict_a_new_model_bring_the_former_one_back(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection"):
        good, bad, _ = await regression(world, parts)
        watch = parts.promotion_watch()
        await contradict(world, good.version, 40, 2)
        await contradict(world, bad.version, 3, 3)
        await watch.look()
        assert (await world.champion()).promotion == bad
        await contradict(world, bad.version, 3, 16)
        await watch.look()
        back = (await world.champion()).promotion
    assert (back.route, back.version, back.causes) == ("rollback", good.version, (bad.event_id,))
    assert "People contradicted 19 of 25 answers since, and 2 of 42 before" in back.summary


async def test_it_is_rolled_back_once_by_two_gates_and_after_a_restart(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection"):
        good, bad, pictures = await regression(world, parts)
        parts.watching = WatchSettings(golden=tuple(str(picture.image_id) for picture in pictures))
        await asyncio.gather(*(parts.promotion_watch().look() for _ in range(2)))
        for _ in range(2):
            await parts.promotion_watch().look()
        champion = await world.champion()
        assert (champion.version, champion.sequence) == (good.version, bad.sequence + 1)
        unfrozen = promotion_requested(action="unfreeze", version=None)
        await world.publish(unfrozen)
        await parts.keeper(full=False).on_promotion_requested(unfrozen)
        await parts.promotion_watch().look()
        assert (await world.champion()).sequence == bad.sequence + 2


async def test_a_person_who_was_faster_is_not_overruled(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection"):
        _, bad, pictures = await regression(world, parts)
        parts.watching = WatchSettings(golden=tuple(str(picture.image_id) for picture in pictures))
        by_person = bad.model_copy(
            update={
                "event_id": uuid_of("rollback"), "causes": (uuid_of("request"),), "sequence": bad.sequence + 1,
                "version": first.version, "artefact_key": first.artefact_key,
                "artefact_sha256": first.artefact_sha256, "route": "rollback", "frozen": True,
            }
        )  # fmt: skip
        await parts.promotion_watch(Overtaken(world.publisher, [by_person])).look()
        assert (await world.champion()).promotion == by_person


async def test_a_former_model_that_is_lost_turns_health_red(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection"):
        good, bad, pictures = await regression(world, parts)
        parts.watching = WatchSettings(golden=tuple(str(picture.image_id) for picture in pictures))
        await world.store.put(good.artefact_key, b"rubbish")
        async with parts.running("watch"):
            await eventually(lambda: "Golden images cannot be asked" in str(parts.health.report()))
        assert (await world.champion()).promotion == bad


async def test_an_override_is_not_watched(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        pictures = await rare(world)
        bad = await world.full(looking(forgets=True))
        await world.verdict(bad)
        if (await world.champion()).version != bad.version:
            await world.ask("override", bad.version, reason="it is meant")
        await world.ask("rollback", first.version)
        back = await world.ask("rollback", bad.version)
        assert not isinstance(back, ModelRejected), back.summary
    async with parts.running("projection"):
        parts.watching = WatchSettings(golden=tuple(str(picture.image_id) for picture in pictures))
        await parts.promotion_watch().look()
        assert (await world.champion()).promotion == back
