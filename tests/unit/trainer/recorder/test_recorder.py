"""Runs, verdicts and the alias in a registry that comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest

from services.trainer.data.queries import Champion, ModelRow
from services.trainer.model.onnx_artefact import Artefact
from services.trainer.model.sessions import ArtefactSession
from services.trainer.recorder.alias import Alias
from services.trainer.recorder.handlers import Recorder
from services.trainer.recorder.memory_registry import MemoryRegistry
from services.trainer.recorder.serial import SerialRegistry
from shared.contract.artefact import artefact_key
from shared.contract.events import Event, ModelPromoted, ModelRejected, ModelTrained
from shared.contract.race_rules import promotion_counts
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually, model_promoted, model_rejected, model_trained
from tests.unit.trainer.model.test_onnx_artefact import assembled, layer_for, pictures

GRAPH = assembled().data


class MemoryModels:
    """The tables, folded from a log in memory whenever they are asked."""

    def __init__(self, event_log: MemoryEventLog) -> None:
        self._event_log = event_log

    async def find(self, version: str) -> ModelRow | None:
        trained = next((one for one in self._event_log.events(ModelTrained) if one.version == version), None)
        if trained is None:
            return None
        promoted = tuple(one.sequence for one in self._counting() if one.version == version)
        own = [one for one in self._event_log.events(ModelRejected) if one.causes == (trained.event_id,)]
        return ModelRow(trained, promoted, own[0] if own else None)

    async def champion(self) -> Champion | None:
        counting = self._counting()
        if not counting:
            return None
        row = await self.find(counting[-1].version)
        assert row is not None
        return Champion(counting[-1], row.trained)

    def _counting(self) -> list[ModelPromoted]:
        counting: list[ModelPromoted] = []
        for one in self._event_log.events(ModelPromoted):
            if promotion_counts(len(counting), one.sequence):
                counting.append(one)
        return counting


class Bench:
    def __init__(self) -> None:
        self.event_log = MemoryEventLog()
        self.registry = MemoryRegistry()
        self.models = MemoryModels(self.event_log)
        self.store = MemoryObjectStore()
        self.health = Health()

    async def publish(self, *events: Event) -> None:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        recorder = Recorder(self.registry, self.models)
        running = asyncio.ensure_future(
            run_handlers(
                self.event_log,
                group="trainer-recorder",
                source="pappus/jobs",
                subscriptions=[
                    subscribe(ModelTrained, recorder.on_model_trained),
                    subscribe(ModelPromoted, recorder.on_model_promoted),
                    subscribe(ModelRejected, recorder.on_model_rejected),
                ],
                health=self.health,
                retry=RetryPolicy(first_seconds=0.001, longest_seconds=0.01, attempts=None),
            )
        )
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def done(self) -> int:
        return sum(self.event_log.committed("trainer-recorder").values())


def models(*versions: str) -> Sequence[ModelTrained]:
    return [model_trained(version=version) for version in versions]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_candidates_and_verdicts_are_recorded(bench: Bench) -> None:
    good, bad = models("good", "bad")
    promoted = model_promoted(version="good", causes=(good.event_id,))
    rejected = model_rejected(version="bad", causes=(bad.event_id,))
    await bench.publish(good, bad, promoted, rejected)
    async with bench.recording():
        await eventually(lambda: bench.done() == 4)
    assert bench.registry.trained == {"good": good, "bad": bad}
    assert bench.registry.verdicts == {"good": promoted, "bad": rejected}


async def test_a_verdict_that_comes_first_does_not_wait_for_its_training(bench: Bench) -> None:
    good = model_trained(version="good")
    promoted = model_promoted(version="good", causes=(good.event_id,))
    await bench.publish(good, promoted)
    await Recorder(bench.registry, bench.models).on_model_promoted(promoted)
    assert bench.registry.trained == {"good": good}
    assert bench.registry.verdicts == {"good": promoted}


async def test_everything_may_be_recorded_twice(bench: Bench) -> None:
    good = model_trained(version="good")
    promoted = model_promoted(version="good", causes=(good.event_id,))
    await bench.publish(good, promoted, good, promoted)
    async with bench.recording():
        await eventually(lambda: bench.done() == 4)
    assert bench.registry.verdicts == {"good": promoted}


async def test_a_promotion_that_lost_its_race_is_not_recorded(bench: Bench) -> None:
    first, second = models("first", "second")
    winner = model_promoted(version="first", sequence=1, causes=(first.event_id,))
    loser = model_promoted(version="second", sequence=1, causes=(second.event_id,))
    await bench.publish(first, second, winner, loser)
    async with bench.recording():
        await eventually(lambda: bench.done() == 4)
    assert bench.registry.verdicts == {"first": winner}


async def test_a_refused_request_is_no_verdict_on_the_version_it_names(bench: Bench) -> None:
    good = model_trained(version="good")
    refused = model_rejected(version="good", causes=(model_promoted().event_id,))
    nameless = model_rejected(version=None, event_id=model_promoted().event_id)
    await bench.publish(good, refused, nameless)
    async with bench.recording():
        await eventually(lambda: bench.done() == 3)
    assert bench.registry.verdicts == {}


async def test_while_the_registry_is_away_health_says_so_and_nothing_is_given_up(bench: Bench) -> None:
    bench.registry.away = True
    await bench.publish(*models("one", "two"))
    async with bench.recording():
        await eventually(lambda: not bench.health.ok)
        assert bench.health.live
        assert not bench.health.ready
        bench.registry.away = False
        await eventually(lambda: bench.done() == 2)
        assert bench.health.ok
    assert set(bench.registry.trained) == {"one", "two"}
    assert bench.event_log.dead_letters(ModelTrained.topic) == []


async def test_the_alias_follows_the_counting_champion(bench: Bench) -> None:
    alias = Alias(bench.registry, bench.models, bench.store)
    await alias.reconcile()
    assert bench.registry.champions == {}
    for sequence, trained in enumerate(models("first", "second"), start=1):
        await bench.publish(trained, model_promoted(version=trained.version, sequence=sequence))
        await alias.reconcile()
        assert bench.registry.champions == {"plants": trained.version}


async def test_after_a_restart_old_messages_do_not_move_the_alias_back(bench: Bench) -> None:
    first, second = models("first", "second")
    promotions = [model_promoted(version="first"), model_promoted(version="second", sequence=2)]
    await bench.publish(first, second, *promotions)
    restarted = Alias(bench.registry, bench.models, bench.store)
    await restarted.reconcile()
    await Recorder(bench.registry, bench.models).on_model_promoted(promotions[0])
    await restarted.reconcile()
    assert bench.registry.champions == {"plants": "second"}


async def test_a_stale_promotion_does_not_move_the_alias(bench: Bench) -> None:
    first, second = models("first", "second")
    await bench.publish(first, second, model_promoted(version="first"), model_promoted(version="second", sequence=1))
    await Alias(bench.registry, bench.models, bench.store).reconcile()
    assert bench.registry.champions == {"plants": "first"}


async def test_a_rollback_moves_the_alias_back(bench: Bench) -> None:
    first, second = models("first", "second")
    await bench.publish(first, second, model_promoted(version="first"), model_promoted(version="second", sequence=2))
    alias = Alias(bench.registry, bench.models, bench.store)
    await alias.reconcile()
    await bench.publish(model_promoted(version="first", sequence=3, route="rollback", frozen=True))
    await alias.reconcile()
    assert bench.registry.champions == {"plants": "first"}


class SlowRegistry(MemoryRegistry):
    """Makes a run if it finds none, with a pause in between, as a registry behind HTTP does."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []

    async def record_training(self, trained: ModelTrained) -> str:
        known = trained.version in self.runs
        await asyncio.sleep(0)
        if not known:
            self.runs.append(trained.version)
        return await super().record_training(trained)


async def test_recording_side_by_side_makes_one_run_for_a_version(bench: Bench) -> None:
    slow = SlowRegistry()
    registry = SerialRegistry(slow)
    first = model_trained(version="first")
    promotion = model_promoted(version="first", causes=(first.event_id,))
    await bench.publish(first, promotion)
    recorder, alias = Recorder(registry, bench.models), Alias(registry, bench.models, bench.store)
    await asyncio.gather(recorder.on_model_trained(first), alias.reconcile(), recorder.on_model_promoted(promotion))
    assert slow.runs == ["first"]
    assert await registry.champion("plants") == "first"
    assert slow.verdicts == {"first": promotion}


async def test_the_alias_is_tried_again_until_the_registry_is_back(bench: Bench) -> None:
    await bench.publish(model_trained(version="first"), model_promoted(version="first"))
    alias = Alias(bench.registry, bench.models, bench.store)
    bench.registry.away = True
    with pytest.raises(TransientError):
        await alias.reconcile()
    bench.registry.away = False
    await alias.reconcile()
    assert bench.registry.champions == {"plants": "first"}


async def test_the_champion_is_stored_with_its_artefact_before_the_alias_moves(bench: Bench) -> None:
    trained = await with_artefact(bench)
    bench.store.away = True
    alias = Alias(bench.registry, bench.models, bench.store)
    with pytest.raises(TransientError):
        await alias.reconcile()
    assert bench.registry.champions == {}
    bench.store.away = False
    await alias.reconcile()
    assert bench.registry.artefacts == {trained.version: GRAPH}
    assert bench.registry.champions == {"plants": trained.version}


async def test_the_alias_follows_a_champion_whose_artefact_is_lost_or_replaced(bench: Bench) -> None:
    trained = await with_artefact(bench)
    bench.store.objects[trained.artefact_key] = b"something else"
    await Alias(bench.registry, bench.models, bench.store).reconcile()
    assert bench.registry.artefacts == {}
    assert bench.registry.champions == {"plants": trained.version}


async def test_a_champion_of_the_fast_lane_is_stored_as_a_whole_graph(bench: Bench) -> None:
    base = await with_artefact(bench)
    artefact = Artefact.parse(GRAPH, base.artefact_key).with_layer(layer_for(pictures(2)), "cd" * 32)
    layer = model_trained(
        version="second", artefact_sha256=artefact.sha256, artefact_key=artefact_key("second", artefact.sha256)
    )
    await bench.store.put(layer.artefact_key, artefact.data)
    await bench.publish(layer, model_promoted(version="second", sequence=2))
    await Alias(bench.registry, bench.models, bench.store).reconcile()
    assert bench.registry.artefacts == {"second": artefact.whole()}
    assert ArtefactSession(artefact.whole()).predict(pictures(2)).probabilities.shape == (2, 3)


async def with_artefact(bench: Bench) -> ModelTrained:
    """Promote a model whose artefact is in the store."""
    digest = sha256(GRAPH).hexdigest()
    trained = model_trained(version="first", artefact_sha256=digest, artefact_key=artefact_key("first", digest))
    await bench.store.put(trained.artefact_key, GRAPH)
    await bench.publish(trained, model_promoted(version="first"))
    return trained
