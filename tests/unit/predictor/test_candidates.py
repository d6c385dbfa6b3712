"""A candidate is in memory when it is promoted; what cannot be loaded ahead is loaded then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.predictor.decisions.promotions import Promotions, fold
from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.loader import LoadSettings, ModelLoader
from services.predictor.promotions.candidate_follower import PART, CandidateFollower
from shared.contract.events import ModelPromoted, ModelTrained
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually, model_trained
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import sha256_of, small_artefact

ONE, TWO, THREE, FOUR = (small_artefact(bias=(bias, 0.0)) for bias in (1.0, 2.0, 3.0, 4.0))
AGAIN = RetryPolicy(0.01, 1.0, 0.01, attempts=None)


class CountingStore(MemoryObjectStore):
    """Counts what was asked for; gives nothing while `gate` is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[str] = []

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        self.asked.append(key)
        await self.gate.wait()
        return await super().get(key, limit_bytes)


class RememberedHealth(Health):
    """Remembers what it was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bool] = []

    def set(self, part: str, ok: bool, detail: str = "") -> None:
        super().set(part, ok, detail)
        self.told.append(ok)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def loader(store: CountingStore, tmp_path: Path) -> ModelLoader:
    return ModelLoader(store, ArtefactFolder(tmp_path), [], LoadSettings(0.05, 5, AGAIN))


@asynccontextmanager
async def running(loader: ModelLoader) -> AsyncIterator[None]:
    task = asyncio.create_task(loader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await loader.candidates.close()


def promotions(*events: ModelPromoted) -> Promotions:
    state = Promotions()
    for event in events:
        state = fold(state, event)
    return state


def serves(loader: ModelLoader, event: ModelPromoted) -> bool:
    return loader.in_service.current is not None and loader.in_service.current.promotion == event


async def test_a_candidate_that_was_announced_is_not_fetched_again(loader: ModelLoader, store: CountingStore) -> None:
    event = promotion(1, ONE)
    await store.put(event.artefact_key, ONE)
    async with running(loader):
        loader.candidates.begin(event)
        loader.candidates.begin(event)
        await eventually(lambda: store.asked == [event.artefact_key])
        loader.set_target(promotions(event))
        await eventually(lambda: serves(loader, event))
    assert store.asked == [event.artefact_key]


async def test_a_promotion_waits_for_the_candidate_that_is_being_loaded(
    loader: ModelLoader, store: CountingStore
) -> None:
    event = promotion(1, ONE)
    await store.put(event.artefact_key, ONE)
    store.gate.clear()
    async with running(loader):
        loader.candidates.begin(event)
        await eventually(lambda: bool(store.asked))
        loader.set_target(promotions(event))
        store.gate.set()
        await eventually(lambda: serves(loader, event))
    assert store.asked == [event.artefact_key]


async def test_a_candidate_that_hangs_is_loaded_anew_at_the_next_attempt(
    loader: ModelLoader, store: CountingStore
) -> None:
    event = promotion(1, ONE)
    await store.put(event.artefact_key, ONE)
    store.gate.clear()
    loader.candidates.begin(event)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await loader.candidates.take(event)
    assert await loader.candidates.take(event) is None
    store.gate.set()
    async with running(loader):
        loader.set_target(promotions(event))
        await eventually(lambda: serves(loader, event))


async def test_a_candidate_that_was_not_there_yet_is_fetched_when_promoted(
    loader: ModelLoader, store: CountingStore
) -> None:
    event = promotion(1, ONE)
    async with running(loader):
        loader.candidates.begin(event)
        await eventually(lambda: bool(store.asked))
        await store.put(event.artefact_key, ONE)
        loader.set_target(promotions(event))
        await eventually(lambda: serves(loader, event))


async def test_a_candidate_is_not_served_without_its_promotion(loader: ModelLoader, store: CountingStore) -> None:
    first, never = promotion(1, ONE), promotion(9, TWO)
    for event, artefact in ((first, ONE), (never, TWO)):
        await store.put(event.artefact_key, artefact)
    async with running(loader):
        loader.set_target(promotions(first))
        await eventually(lambda: serves(loader, first))
        loader.candidates.begin(never)
        assert await loader.candidates.take(never) is not None
        assert serves(loader, first)


async def test_only_the_newest_candidates_stay_in_memory(loader: ModelLoader, store: CountingStore) -> None:
    events = [promotion(number, artefact) for number, artefact in enumerate((ONE, TWO, THREE, FOUR), 1)]
    for event, artefact in zip(events, (ONE, TWO, THREE, FOUR), strict=True):
        await store.put(event.artefact_key, artefact)
        loader.candidates.begin(event)
    assert [await loader.candidates.take(event) is not None for event in events] == [False, False, True, True]
    assert await loader.candidates.take(events[3]) is None  # it is in service now


def says(health: Health) -> bool:
    state = health.state(PART)
    return state is not None and state.ok


@asynccontextmanager
async def following(event_log: MemoryEventLog, loader: ModelLoader, health: Health) -> AsyncIterator[None]:
    task = asyncio.create_task(CandidateFollower(event_log, loader.candidates, "plants", health, AGAIN).run())
    try:
        await eventually(lambda: says(health))
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def candidate(version: str, artefact: bytes, model_name: str = "plants") -> ModelTrained:
    return model_trained(
        version=version,
        model_name=model_name,
        artefact_key=f"models/{version}/model.onnx",
        artefact_sha256=sha256_of(artefact),
    )


async def test_each_new_candidate_of_this_model_is_loaded_ahead(loader: ModelLoader, store: CountingStore) -> None:
    event_log, health = MemoryEventLog(), Health()
    old, new, foreign = (
        candidate("old", ONE),
        candidate("new", TWO),
        candidate("foreign", THREE, model_name="fungi"),
    )
    async with event_log.publisher("pappus/trainer") as publisher:
        await publisher.publish([old])
        async with following(event_log, loader, health):
            event_log.append(ModelTrained.topic, "plants", b"no event")
            await publisher.publish([foreign, new])
            await eventually(lambda: bool(store.asked))
    assert store.asked == ["models/new/model.onnx"]


async def test_a_log_that_is_replaced_is_followed_from_its_new_end(loader: ModelLoader, store: CountingStore) -> None:
    event_log, health = MemoryEventLog(), RememberedHealth()
    async with event_log.publisher("pappus/trainer") as publisher:
        await publisher.publish([candidate("old", ONE)])
        async with following(event_log, loader, health):
            event_log.clear()
            event_log.wake()
            await eventually(lambda: health.told[-2:] == [False, True])
            await publisher.publish([candidate("new", TWO)])
            await eventually(lambda: bool(store.asked))
    assert store.asked == ["models/new/model.onnx"]
