"""Artefacts that nothing needs are deleted, and all that may still serve can be put into service."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.trainer.data.projection import TOPICS
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.sweeper import PART, Sweeper
from services.trainer.gate.decisions.rules import GateSettings
from services.trainer.lineage.artefacts import sweep_ahead
from services.trainer.lineage.models import ModelReader
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.runtime.clock import utc_now
from shared.runtime.errors import LogReplaced, PappusError, TransientError
from shared.storage.object_store import KeptObject
from shared.tables.projection import wait_until_caught_up
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually, model_promoted, model_rejected
from tests.integration.trainer.trainer_env import LABELS, Parts, World

ORPHAN = "models/fast-unannounced/abc.onnx"


def sweeper(world: World, **settings: Any) -> Sweeper:
    """Return a sweeper that keeps the newest candidate of each lane."""
    values = {"kept_candidates": 1, "samples_caught_up_seconds": 5.0, **settings}
    return Sweeper(world.event_log, world.database, world.store, FullLaneSettings(**values))


def in_memory(world: World) -> MemoryObjectStore:
    assert isinstance(world.store, MemoryObjectStore)
    return world.store


def let_days_pass(world: World, days: float = 2) -> None:
    """Have all objects put so long before; models were announced then, too."""
    store = in_memory(world)
    for key in store.objects:
        store.put_at[key] -= timedelta(days=days)


async def there(world: World, *models: ModelTrained) -> list[bool]:
    return [await world.store.exists(one.artefact_key) for one in models]


async def judged_models(world: World, count: int) -> list[ModelTrained]:
    """Return the champion and `count` rejected full models, announced and judged ten days ago."""
    long_ago = utc_now() - timedelta(days=10)
    await world.dataset(4, 4)
    models = [await world.full(occurred_at=long_ago + timedelta(seconds=number)) for number in range(count + 1)]
    first, *others = models
    named = {name: getattr(first, name) for name in ("version", "artefact_key", "artefact_sha256")}
    await world.publish(
        model_promoted(**named, causes=(first.event_id,)),
        *(model_rejected(version=one.version, causes=(one.event_id,)) for one in others),
    )
    return models


async def test_what_served_and_the_newest_stay_and_the_rest_goes_once(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        models = await judged_models(world, 3)
        await world.store.put(ORPHAN, b"put, and never announced")
        kept = await world.store.keys("manifests/"), await world.store.keys("images/")
        assert await sweeper(world).sweep() == 0  # of today
        let_days_pass(world)
        ahead = await sweep_ahead(ModelReader(world.database, world.store), FullLaneSettings(kept_candidates=1))
        assert [await sweeper(world).sweep() for _ in range(2)] == [3, 0]
    assert {each["key"] for each in ahead["going"]} == {ORPHAN, *(one.artefact_key for one in models[1:3])}
    assert {each["reason"]: each["artefacts"] for each in ahead["kept"]} == {
        "serves": 1,
        "one of the newest of the full lane": 1,
    }
    assert await there(world, *models) == [True, False, False, True]
    assert not await world.store.exists(ORPHAN)
    assert (await world.store.keys("manifests/"), await world.store.keys("images/")) == kept


async def test_corrections_and_a_rollback_go_on_after_a_sweep(world: World, parts: Parts) -> None:
    parts.limits = GateSettings(least_changes=1)
    async with parts.running("projection", "gate", "fast"):
        await world.dataset()
        first = await world.full(occurred_at=utc_now() - timedelta(days=10))
        await world.verdict(first)
        layers = []
        for number in range(2):
            correction = await world.correct(world.images[number], LABELS[1 - number % 2])
            layers.append((await world.live(correction)).model)
        let_days_pass(world)
        assert await sweeper(world).sweep() == 0
        assert await there(world, first, *layers) == [True, True, True]
        answer = await world.ask("rollback", layers[0].version)
    assert isinstance(answer, ModelPromoted), answer.summary


@pytest.mark.parametrize("action", ["override", "approve"])
async def test_a_request_for_a_deleted_model_says_what_to_do(world: World, parts: Parts, action: str) -> None:
    async with parts.running("projection", "gate"):
        models = await judged_models(world, 2)
        let_days_pass(world)
        await sweeper(world).sweep()
    async with parts.running("projection", "gate"):  # started anew, with no model in memory
        answer = await world.ask(action, models[1].version)
    assert isinstance(answer, ModelRejected)
    assert "There is no object" in answer.summary
    assert "train a new one (`pappus train`)" in answer.summary
    assert "Override" not in answer.summary


async def test_an_override_that_a_sweep_meets_half_way_is_served(world: World, parts: Parts) -> None:
    """The sweeper has read store and tables, and is slow: then a person chooses a model that it deletes."""

    class SlowStore(MemoryObjectStore):
        def __init__(self, other: MemoryObjectStore) -> None:
            self.__dict__.update(other.__dict__)
            self.begun, self.go_on = asyncio.Event(), asyncio.Event()

        async def discard(self, listed: KeptObject) -> bool:
            self.begun.set()
            await self.go_on.wait()
            return await super().discard(listed)

    async with parts.running("projection", "gate"):
        models = await judged_models(world, 2)
        let_days_pass(world)
        slow = SlowStore(in_memory(world))
        settings = FullLaneSettings(kept_candidates=1)
        sweeping = asyncio.create_task(Sweeper(world.event_log, world.database, slow, settings).sweep())
        await slow.begun.wait()
        answer = await world.ask("override", models[1].version)
        slow.go_on.set()
        await sweeping
    assert isinstance(answer, ModelPromoted), answer.summary
    assert await there(world, *models) == [True, True, True]


async def test_a_candidate_that_is_put_again_meanwhile_stays(world: World, parts: Parts) -> None:
    """A lane that died between put and publish makes the same candidate again, days later."""
    async with parts.running("projection"):
        await judged_models(world, 0)
        await world.store.put(ORPHAN, b"a layer")
        let_days_pass(world)
        listed = await world.store.list_objects("models/")
        await world.store.put(ORPHAN, b"a layer")
        await asyncio.gather(*(world.store.discard(one) for one in listed if one.key == ORPHAN))
        assert await sweeper(world).sweep() == 0
    assert await world.store.exists(ORPHAN)


async def test_nothing_is_deleted_while_the_tables_are_behind(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        models = await judged_models(world, 2)
    late = await world.full()  # announced, and not folded: no projection runs
    let_days_pass(world)
    with pytest.raises(TransientError):
        await sweeper(world, samples_caught_up_seconds=0.2).sweep()
    assert await there(world, *models, late) == [True] * 4


async def test_nothing_is_deleted_after_the_log_was_replaced(world: World, parts: Parts) -> None:
    """The tables are at its end, and know nothing of what it says."""
    async with parts.running("projection"):
        models = await judged_models(world, 2)
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
    let_days_pass(world)
    other = Sweeper(MemoryEventLog(), world.database, world.store, FullLaneSettings(kept_candidates=1))
    with pytest.raises(LogReplaced, match="pappus replay"):
        await other.sweep()
    assert await there(world, *models) == [True] * 3


async def test_a_sweep_that_was_cut_off_is_finished_by_the_next(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        models = await judged_models(world, 3)
        let_days_pass(world)
        store, discard = in_memory(world), in_memory(world).discard

        async def discard_one(listed: KeptObject) -> bool:
            discarded = await discard(listed)
            store.away = True
            return discarded

        store.discard = discard_one  # type: ignore[method-assign]
        with pytest.raises(TransientError):
            await sweeper(world).sweep()
        store.away, store.discard = False, discard  # type: ignore[method-assign]
        assert sum(await there(world, *models)) == 3
        await asyncio.gather(sweeper(world).sweep(), sweeper(world).sweep())
    assert await there(world, *models) == [True, False, False, True]


async def test_a_store_that_refuses_stops_no_training(world: World, parts: Parts) -> None:
    async with parts.running("projection"):
        models = await judged_models(world, 2)
        let_days_pass(world)
        store = in_memory(world)

        async def refuse(_listed: KeptObject) -> bool:
            raise PappusError("The object store refused to delete it.")

        store.discard, discard = refuse, store.discard  # type: ignore[method-assign, assignment]
        running = asyncio.create_task(sweeper(world).run(parts.health))
        await eventually(lambda: "refused" in str(parts.health.report()))
        store.discard = discard  # type: ignore[method-assign]
        await eventually(lambda: PART in str(parts.health.report()) and not store.objects.get(models[1].artefact_key))
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_can_be_switched_off(world: World, parts: Parts) -> None:
    await sweeper(world, sweep_hours=0).run(parts.health)
