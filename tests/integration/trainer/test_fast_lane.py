"""The fast lane with a gate behind it: from corrections to the champion that holds them."""

import asyncio
import operator
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest

from services.trainer.data import queries
from services.trainer.data.artefacts import load_artefact
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.manifest import manifest_from_json
from services.trainer.fast_lane import reconciler
from services.trainer.fast_lane.candidate import check_parity
from services.trainer.fast_lane.prefetch import FeaturePrefetcher
from services.trainer.fast_lane.reconciler import FastLane
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.reference_inference import Agreement
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.contract.race_rules import promotion_counts
from shared.runtime.clock import utc_now
from shared.tables.projection import wait_until_caught_up
from shared.testing import MemoryEventLog, eventually
from tests.integration.trainer.trainer_env import LABELS, Parts, Stored, World, read_candidates


async def first_champion(world: World) -> ModelTrained:
    await world.dataset()
    candidate = await world.full()
    verdict = await world.verdict(candidate)
    assert verdict.topic == "model.promoted", verdict.summary
    return candidate


def said(parts: Parts) -> str:
    """Return why the lane makes nothing, as its health report says."""
    state = parts.health.state("fast candidate")
    return "" if state is None else state.detail


async def answered(world: World, image: Stored, mirrored: bool = False) -> str:
    """Return what the champion answers for an image, as a predictor would."""
    champion = await world.champion()
    pixels = image.pixels[None, :, ::-1] if mirrored else image.pixels[None]
    probabilities = (await load_artefact(world.store, champion.model)).predict(pixels).probabilities[0]
    return champion.model.labels[int(probabilities.argmax())]


async def test_a_correction_is_served_and_names_what_it_came_from(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        first = await first_champion(world)
        image = await world.image("grass", says="dandelion")
        assert await answered(world, image) == "grass"
        correction = await world.correct(image, "dandelion")
        champion = await world.live(correction)
        assert await answered(world, image) == "dandelion"
    made = champion.model
    assert (made.lane, made.parent, made.causes) == ("fast", first.version, (correction.event_id,))
    assert (champion.sequence, champion.promotion.route) == (2, "non_inferior")
    artefact = await load_artefact(world.store, made)
    assert set(artefact.layer.entries) == {(image.image_id, 1)}
    assert (artefact.base.key, artefact.base.sha256) == (first.artefact_key, first.artefact_sha256)
    manifest = manifest_from_json((await world.store.get(made.manifest_key)).decode())
    assert manifest.sha256 == made.manifest_sha256
    assert [(sample.image_id, sample.label, sample.revision) for sample in manifest.samples] == [
        (image.image_id, "dandelion", 1)
    ]


async def test_the_mirrored_image_of_a_corrected_one_follows_it(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        image = await world.image("grass")
        assert await answered(world, image, mirrored=True) == "grass"
        await world.live(await world.correct(image, "dandelion"))
        assert await answered(world, image, mirrored=True) == "dandelion"


async def test_an_artefact_of_format_1_is_extended_until_the_next_full_model(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        await world.verdict(await world.full(space=False))
        image = await world.image("grass")
        correction = await world.correct(image, "dandelion")
        older = await world.live(correction)
        assert await answered(world, image) == "dandelion"
        assert (await load_artefact(world.store, older.model)).layer.space is None
        newer = await world.full(corrections=(correction,))
        await world.verdict(newer)
        await world.ask("override", newer.version)  # its own merits are not what this is about
        await world.correct(world.images[1], "dandelion")

        extended = await eventually(lambda: [one for one in trained(world) if one.parent == newer.version])
        assert (await load_artefact(world.store, extended[0])).layer.space is not None


async def test_without_a_champion_corrections_wait_for_the_first(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        correction = await world.correct(world.images[0], "grass")
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        assert await read_candidates(world.database) == []
        await world.full()
        await world.live(correction)


async def test_a_burst_becomes_a_few_models_and_all_of_it_is_live(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        images = [await world.image("grass", says="dandelion") for _ in range(20)]
        corrections = [await world.correct(image, "dandelion") for image in images]
        await world.live(*corrections)
        models = await read_candidates(world.database)
    assert len(models) < 20
    assert all(row.judged for row in models)


async def test_a_label_that_is_toggled_ends_as_its_last_revision(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        image = await world.image("grass")
        for revision in range(1, 6):
            last = await world.correct(image, LABELS[(revision + 1) % 2], revision)
        await world.live(last)
        assert await answered(world, image) == last.label_to


async def test_a_repeated_correction_makes_nothing(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        image = await world.image("grass", says="dandelion")
        correction = await world.correct(image, "dandelion")
        await world.live(correction)
        await world.publish(correction, correction)
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        assert await parts.lane().reconcile() == []
        assert len(await read_candidates(world.database)) == 2


async def test_a_restarted_lane_makes_nothing_that_is_live(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate"):
        async with parts.running("fast"):
            await first_champion(world)
            await world.live(await world.correct(world.images[0], "grass"))
        assert await parts.lane().reconcile() == []


async def test_two_lanes_make_the_same_version_with_the_same_bytes(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate"):
        await first_champion(world)
        await world.correct(world.images[0], "grass")
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        (one,), (other,) = await parts.lane().reconcile(), await parts.lane().reconcile()
    assert isinstance(one, ModelTrained)
    assert isinstance(other, ModelTrained)
    assert (one.event_id, one.artefact_sha256, one.weights_sha256) == (
        other.event_id,
        other.artefact_sha256,
        other.weights_sha256,
    )


async def test_an_image_whose_bytes_are_gone_is_left_out_and_the_rest_goes_on(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        gone = await world.image("grass", says="dandelion", object_key="images/sha256/00/gone")
        await world.store.put(gone.event.object_key, b"not what was stored")
        kept = await world.image("grass", says="dandelion")
        await world.correct(gone, "dandelion")
        await world.live(await world.correct(kept, "dandelion"))
        champion = await world.champion()
        assert {one.image_id for one in champion.model.held} == {kept.image_id}
        await eventually(lambda: "1 left out" in said(parts))


async def test_a_correction_on_which_runtimes_differ_is_left_out(
    world: World, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        odd, kept = await world.image("grass", says="dandelion"), await world.image("grass", says="dandelion")

        def compare(artefact: Artefact, *others: Any) -> Agreement:
            held = odd.image_id in {image_id for image_id, _ in artefact.layer.entries}
            return Agreement(2e-3, 0) if held else check_parity(artefact, *others)

        monkeypatch.setattr(reconciler, "check_parity", compare)
        await world.correct(odd, "dandelion")
        await eventually(lambda: "1 left out" in said(parts))
        await world.live(await world.correct(kept, "dandelion"))
        champion = await world.champion()
        assert {one.image_id for one in champion.model.held} == {kept.image_id}


async def test_after_a_rollback_and_an_unfreeze_the_corrections_are_live_again(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        first = await first_champion(world)
        correction = await world.correct(world.images[0], "grass")
        before = await world.live(correction)
        back = await world.ask("rollback", first.version)
        assert back.topic == "model.promoted"
        assert (await world.champion()).frozen
        assert await parts.lane().reconcile() == []
        await world.ask("unfreeze")
        after = await world.live(correction)
    assert after.sequence > before.sequence
    assert after.version != before.version
    assert not after.frozen


async def test_a_full_training_promoted_over_the_lane_loses_no_correction(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        known = await world.correct(world.images[0], "grass")
        await world.live(known)
        late = await world.correct(world.images[2], "grass")
        await world.live(known, late)
        for _ in range(4):
            await world.image("grass")
        full = await world.full(corrections=(known,))
        assert (await world.verdict(full)).topic == "model.promoted"
        champion = await world.live(known, late)
    assert champion.model.parent == full.version


async def test_contradicting_corrections_are_set_aside_and_others_go_on(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        image = await world.image("grass")
        await world.live(await world.correct(image, "grass"))
        nearly = image.pixels.copy()
        nearly[0, 0] = 255 - nearly[0, 0]
        twin = await world.image("grass", pixels=nearly)
        wrong = await world.correct(twin, "dandelion")
        rejected = await eventually(lambda: world_rejections(world))
        other = await world.correct(world.images[0], "grass")
        champion = await world.live(other)
        aside = await queries.set_aside(world.database)
    assert rejected
    assert [(one.image_id, one.revision) for one in aside] == [(twin.image_id, 1)]
    assert aside[0].sentence
    assert wrong.image_id not in {one.image_id for one in champion.model.held}


async def world_rejections(world: World) -> list[ModelRejected]:
    return [row.rejected for row in await read_candidates(world.database) if row.rejected is not None]


async def test_corrections_that_break_test_images_are_set_aside_and_others_go_on(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate", "fast"):
        await first_champion(world)
        victims = [image for image in world.images if image.sample().side == "test" and image.shows == "grass"][:4]
        poison = []
        for victim in victims:
            nearly = victim.pixels.copy()
            nearly[0, 0] = 255 - nearly[0, 0]
            poison.append(await world.image("grass", pixels=nearly))
        good = await world.correct(world.images[0], "grass")
        for image in poison:
            await world.correct(image, "dandelion")
        champion = await world.live(good)
        aside = await eventually(lambda: queries.set_aside(world.database))
        await eventually(lambda: quiet(world, parts))
        champion = await world.champion()
    held = {one.image_id for one in champion.model.held}
    assert good.image_id in held
    assert {one.image_id for one in aside} <= {image.image_id for image in poison}
    assert all("test image" in one.sentence for one in aside)


async def quiet(world: World, parts: Parts) -> bool:
    """Return whether the lane has nothing more to do and the gate nothing to judge."""
    return not await parts.lane().reconcile() and all(row.judged for row in await read_candidates(world.database))


@pytest.mark.timeout(120)
async def test_lane_and_gate_may_end_and_start_at_any_time(world: World, parts: Parts) -> None:
    generator = np.random.default_rng(7)
    async with parts.running("projection"):
        async with parts.running("gate"):
            await first_champion(world)
        corrections = []
        for _ in range(12):
            async with parts.running("gate", "fast"):
                image = await world.image("grass", says="dandelion")
                corrections.append(await world.correct(image, "dandelion"))
                await asyncio.sleep(float(generator.random()) / 20)  # where they are ended is left to chance
        async with parts.running("gate", "fast"):
            champion = await world.live(*corrections)
    assert isinstance(world.event_log, MemoryEventLog)
    counting: list[ModelPromoted] = []
    for promotion in world.event_log.events(ModelPromoted):
        if promotion_counts(len(counting), promotion.sequence):
            counting.append(promotion)
    assert champion.sequence == len(counting)
    causes = [one.causes for one in counting]
    assert len(causes) == len(set(causes)), "a candidate was promoted twice"


async def test_a_champion_that_cannot_be_read_turns_health_red_until_it_is_back(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate"):
        first = await first_champion(world)
        artefact = await world.store.get(first.artefact_key)
        await world.store.put(first.artefact_key, b"rubbish")
        correction = await world.correct(world.images[0], "grass")
        async with parts.running("fast"):
            await eventually(lambda: "cannot be read" in said(parts))
            assert not parts.health.ok
            await world.store.put(first.artefact_key, artefact)
            await world.live(correction)
            await eventually(lambda: "live" in said(parts))
            assert parts.health.ok


async def test_the_features_of_a_stored_image_are_there_before_a_correction(world: World, parts: Parts) -> None:
    cache = FeatureCache(100)
    source = FeatureSource(world.store, cache)
    lane = FastLane(world.database, world.store, source, parts.health, utc_now)
    prefetcher = FeaturePrefetcher(world.database, source, lane.loaded_champion, 100)
    async with parts.running("projection", "gate"):
        task = asyncio.create_task(prefetcher.run(parts.health))
        first = await first_champion(world)
        digests = [image.event.sha256 for image in world.images]
        await eventually(lambda: all((first.backbone_id, digest) in cache for digest in digests))
        for minutes in (0, 4):  # the second is folded later than it was stored
            late = await world.image("grass", occurred_at=utc_now() - timedelta(minutes=minutes))
            await eventually(partial(operator.contains, cache, (first.backbone_id, late.event.sha256)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_of_two_lanes_one_makes_candidates(world: World, parts: Parts) -> None:
    other = Parts(world)
    async with parts.running("projection", "gate"), parts.running("fast"), other.running("fast"):
        await first_champion(world)
        corrections = [await world.correct(image, "dandelion") for image in world.images[1:12:2]]
        await world.live(*corrections)
        published = [event.version for event in trained(world)]
    assert len(published) == len(set(published))


def trained(world: World) -> list[ModelTrained]:
    assert isinstance(world.event_log, MemoryEventLog)
    return world.event_log.events(ModelTrained)
