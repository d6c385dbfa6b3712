"""Full candidates are measured beside fast ones and requests: what takes minutes holds up nothing."""

import asyncio
from collections.abc import Collection

import pytest

from services.trainer.data import queries
from services.trainer.features import kept
from services.trainer.features.parquet import features_key, write_features
from services.trainer.gate.decisions.rules import GateSettings
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.testing import MemoryObjectStore, eventually
from tests.integration.trainer.trainer_env import LABELS, Parts, World, backbone

pytestmark = pytest.mark.timeout(180)  # the servers are started in the set-up of the first of them


class HeldStore(MemoryObjectStore):
    """A store that answers for some objects only once they are released; notes what is read."""

    def __init__(self, inner: MemoryObjectStore) -> None:
        super().__init__()
        self.__dict__.update(inner.__dict__)
        self.held: Collection[str] = ()
        self.asked = asyncio.Event()
        self.free = asyncio.Event()
        self.read: list[str] = []

    async def get(self, key: str, *more: object) -> bytes:
        self.read.append(key)
        if key in self.held:
            self.asked.set()
            await self.free.wait()
        return await super().get(key, *more)  # type: ignore[arg-type]


@pytest.fixture
async def first(world: World, parts: Parts) -> ModelTrained:
    """The first champion; after it the store can hold objects back."""
    async with parts.running("projection", "gate"):
        await world.dataset()
        candidate = await world.full()
        assert isinstance(await world.verdict(candidate), ModelPromoted)
    assert isinstance(world.store, MemoryObjectStore)
    world.store = HeldStore(world.store)
    return candidate


def held(world: World) -> HeldStore:
    assert isinstance(world.store, HeldStore)
    return world.store


async def test_a_correction_and_a_rollback_do_not_wait_for_a_full_candidate(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    store = held(world)
    async with parts.running("projection", "gate", "fast"):
        wrong = await world.image(LABELS[0], says=LABELS[1])
        full = await world.full()
        store.held = {full.artefact_key}
        await store.asked.wait()
        corrected = await world.correct(wrong, LABELS[0])
        live = await world.live(corrected)
        back = await world.ask("rollback", first.version)
        assert isinstance(back, ModelPromoted), back.summary
        assert await queries.verdict_on(world.database, full.event_id) is None
        store.free.set()
        verdict = await world.verdict(full)
    assert (live.model.lane, live.sequence, back.sequence) == ("fast", 2, 3)
    assert isinstance(verdict, ModelRejected)
    assert "Promotions are frozen" in verdict.summary


async def test_a_full_candidate_is_compared_with_what_was_promoted_meanwhile(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    store = held(world)
    async with parts.running("projection", "gate", "fast"):
        wrong = await world.image(LABELS[0], says=LABELS[1])
        full = await world.full()
        store.held = {full.artefact_key}
        await store.asked.wait()
        live = await world.live(await world.correct(wrong, LABELS[0]))
        store.free.set()
        verdict = await world.verdict(full)
    assert isinstance(verdict, ModelPromoted), verdict.summary
    assert (verdict.sequence, verdict.replaces) == (live.sequence + 1, live.version)


async def test_a_restart_while_a_candidate_is_measured_gives_one_verdict(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    store = held(world)
    async with parts.running("projection"):
        async with parts.running("gate"):
            await world.image(LABELS[0])
            full = await world.full()
            store.held = {full.artefact_key}
            await store.asked.wait()
        store.held = ()
        async with parts.running("gate"):
            verdict = await world.verdict(full)
        for _ in range(2):  # a second gate, and a message that comes again
            await parts.keeper().on_model_trained(full)
            await parts.keeper(full=False).on_model_trained(full)
        assert await queries.verdict_on(world.database, full.event_id) == verdict
        assert (await world.champion()).sequence == 2


async def test_a_version_that_was_overridden_meanwhile_is_not_judged_again(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    store = held(world)
    async with parts.running("projection", "gate"):
        await world.image(LABELS[0])
        full = await world.full()
        store.held = {full.manifest_key}
        await store.asked.wait()
        overridden = await world.ask("override", full.version, reason="it is needed now")
        store.free.set()
        await parts.keeper().on_model_trained(full)
        assert isinstance(overridden, ModelPromoted), overridden.summary
        assert (await world.champion()).promotion == overridden


async def test_a_rollback_reads_a_few_images_and_never_all_of_them(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    store = held(world)
    async with parts.running("projection", "gate"):
        await world.image(LABELS[0])
        assert isinstance(await world.verdict(await world.full()), ModelPromoted)
    store.read.clear()
    async with parts.running("projection"):
        quick = parts.keeper(full=False)
        request = await world.request("rollback", first.version)
        await quick.on_promotion_requested(request)
        assert isinstance(await world.verdict(request), ModelPromoted)
    images = [key for key in store.read if key.startswith("images/")]
    assert 0 < len(images) <= 4


async def test_features_that_the_full_lane_kept_are_not_made_again_from_images(
    world: World, parts: Parts, first: ModelTrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = held(world)
    monkeypatch.setattr(kept, "FEW", 0)  # these are few
    async with parts.running("projection"):
        await world.image(LABELS[0])
        full = await world.full()
        digests = [image.event.sha256 for image in world.images]
        features = FeatureExtractor(backbone()).features(world.pixels())
        await store.put(features_key(full.backbone_id, full.manifest_sha256), write_features(digests, features))
        store.read.clear()
        await parts.keeper().on_model_trained(full)
        assert isinstance(await world.verdict(full), ModelPromoted)
    images = [key for key in store.read if key.startswith("images/")]
    assert 0 < len(images) <= 4


async def test_who_wants_to_be_asked_is_not_asked_about_corrections(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    parts.limits = GateSettings(least_changes=1, approval="ask")
    async with parts.running("projection", "gate", "fast"):
        wrong = await world.image(LABELS[0], says=LABELS[1])
        full = await world.full()
        waits = await world.verdict(full)
        assert isinstance(waits, ModelRejected)
        assert waits.waits_for_approval
        assert waits.evidence is not None
        await world.live(await world.correct(wrong, LABELS[0]))
        approved = await world.ask("approve", full.version)
    assert isinstance(approved, ModelPromoted), approved.summary
    assert (approved.route, approved.version) == ("approve", full.version)
    assert approved.evidence is not None
    assert approved.evidence.classes[0].images == 10


async def test_an_approved_model_has_to_pass_when_it_is_approved(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    parts.limits = GateSettings(least_changes=1, approval="ask")
    async with parts.running("projection", "gate"):
        await world.image(LABELS[0])
        full = await world.full()
        await world.verdict(full)
        await world.store.put(full.artefact_key, b"rubbish")
    async with parts.running("projection", "gate"):
        refused = await world.ask("approve", full.version)
        await eventually(lambda: parts.health.report())
    assert isinstance(refused, ModelRejected)
