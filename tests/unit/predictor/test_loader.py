"""From a promotion to the model in service, and what happens when that does not work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.predictor.decisions.promotions import Promotions, fold
from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.classes import KnownClasses
from services.predictor.model.holder import ServingModel
from services.predictor.model.loader import Failure, LoadSettings, ModelLoader
from shared.contract.artefact import LARGEST_ARTEFACT_BYTES
from shared.contract.events import ModelPromoted
from shared.runtime.retry import RetryPolicy
from shared.testing import MemoryObjectStore, eventually
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact

ONE, TWO, THREE = (small_artefact(bias=(bias, 0.0)) for bias in (1.0, 2.0, 3.0))
QUICK = LoadSettings(kafka_wait_seconds=0.05, timeout_seconds=5, retry=RetryPolicy(0.01, 1.0, 0.01, attempts=None))


class Listener:
    """The calls of the loader, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[ServingModel | None, Failure | None]] = []

    def __call__(self, serving: ServingModel | None, failure: Failure | None) -> None:
        self.calls.append((serving, failure))


class SlowStore(MemoryObjectStore):
    """Gives nothing before `gate` is set; counts what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.asked: list[str] = []

    async def get(self, key: str, limit_bytes: int | None = None) -> bytes:
        self.asked.append(key)
        await self.gate.wait()
        return await super().get(key, limit_bytes)


@pytest.fixture
def folder(tmp_path: Path) -> ArtefactFolder:
    return ArtefactFolder(tmp_path)


def promotions(*events: ModelPromoted) -> Promotions:
    state = Promotions()
    for event in events:
        state = fold(state, event)
    return state


@asynccontextmanager
async def running(loader: ModelLoader) -> AsyncIterator[ModelLoader]:
    task = asyncio.create_task(loader.run())
    try:
        yield loader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def parses() -> float:
    return REGISTRY.get_sample_value("pappus_artefact_parses_total", {"library": "onnxruntime"}) or 0.0


def version_of(loader: ModelLoader) -> str | None:
    return loader.in_service.current.promotion.version if loader.in_service.current else None


async def stored(store: MemoryObjectStore, *artefacts: tuple[ModelPromoted, bytes]) -> None:
    for event, artefact in artefacts:
        await store.put(event.artefact_key, artefact)


async def test_the_newest_promotion_is_loaded_and_kept_on_disk(folder: ArtefactFolder) -> None:
    store, listener = MemoryObjectStore(), Listener()
    first, second = promotion(1, ONE), promotion(2, TWO)
    await stored(store, (first, ONE), (second, TWO))
    async with running(ModelLoader(store, folder, [listener], QUICK, clock=lambda: NOON)) as loader:
        loader.set_target(promotions(first, second))
        await eventually(lambda: folder.read(second.artefact_sha256) == TWO)
    serving, failure = listener.calls[0]
    assert serving is not None
    assert serving.promotion == second
    assert serving.loaded_at == NOON
    assert failure is None
    assert folder.read(first.artefact_sha256) is None


async def test_a_load_parses_the_artefact_exactly_once(folder: ArtefactFolder) -> None:
    store, before = MemoryObjectStore(), parses()
    event, frozen = promotion(1, ONE), promotion(2, ONE)
    await stored(store, (event, ONE))
    async with running(ModelLoader(store, folder, [], QUICK)) as loader:
        loader.set_target(promotions(event))
        await eventually(lambda: folder.read(event.artefact_sha256) == ONE)
        loader.set_target(promotions(event, frozen))
        await eventually(lambda: loader.in_service.current and loader.in_service.current.promotion == frozen)
    assert parses() == before + 1


async def test_only_the_last_of_many_targets_during_a_load_is_loaded(folder: ArtefactFolder) -> None:
    store = SlowStore()
    events = [promotion(n, artefact) for n, artefact in ((1, ONE), (2, TWO), (3, THREE))]
    await stored(store, *zip(events, (ONE, TWO, THREE), strict=True))
    async with running(ModelLoader(store, folder, [], QUICK)) as loader:
        loader.set_target(promotions(events[0]))
        await eventually(lambda: len(store.asked) == 1)
        loader.set_target(promotions(*events[:2]))
        loader.set_target(promotions(*events))
        store.gate.set()
        await eventually(lambda: version_of(loader) == "fast-3")
    assert store.asked == [events[0].artefact_key, events[2].artefact_key]


async def test_a_wrong_hash_leaves_the_old_model_and_says_so(folder: ArtefactFolder) -> None:
    store, listener = MemoryObjectStore(), Listener()
    good, tampered = promotion(1, ONE), promotion(2, TWO)
    await stored(store, (good, ONE), (tampered, THREE))
    async with running(ModelLoader(store, folder, [listener], QUICK)) as loader:
        loader.set_target(promotions(good))
        await eventually(lambda: version_of(loader) == "fast-1")
        loader.set_target(promotions(good, tampered))
        await eventually(lambda: len(listener.calls) >= 3)
        assert version_of(loader) == "fast-1"
    serving, failure = listener.calls[-1]
    assert serving is not None
    assert serving.promotion == good
    assert failure is not None
    assert "sha256" in failure.detail


@pytest.mark.parametrize("artefact", [b"not a model", small_artefact(bias=(float("nan"), 0.0))])
async def test_a_broken_artefact_leaves_the_old_model(folder: ArtefactFolder, artefact: bytes) -> None:
    store, listener = MemoryObjectStore(), Listener()
    good, broken = promotion(1, ONE), promotion(2, artefact)
    await stored(store, (good, ONE), (broken, artefact))
    async with running(ModelLoader(store, folder, [listener], QUICK)) as loader:
        loader.set_target(promotions(good))
        await eventually(lambda: version_of(loader) == "fast-1")
        loader.set_target(promotions(good, broken))
        await eventually(lambda: any(failure for _, failure in listener.calls))
        assert version_of(loader) == "fast-1"
    assert folder.read(broken.artefact_sha256) is None


async def test_a_start_falls_back_to_the_newest_loadable_promotion(folder: ArtefactFolder) -> None:
    store, listener = MemoryObjectStore(), Listener()
    first, second, missing = promotion(1, ONE), promotion(2, TWO), promotion(3, THREE)
    await stored(store, (first, ONE), (second, TWO))
    async with running(ModelLoader(store, folder, [listener], QUICK)) as loader:
        loader.set_target(promotions(first, second, missing))
        await eventually(lambda: any(failure for _, failure in listener.calls))
        assert version_of(loader) == "fast-2"
        assert listener.calls[-1][1] is not None
        await stored(store, (missing, THREE))  # trying goes on
        await eventually(lambda: version_of(loader) == "fast-3")
        await eventually(lambda: listener.calls[-1][1] is None)


async def test_a_newer_promotion_ends_the_trying(folder: ArtefactFolder) -> None:
    store, listener = MemoryObjectStore(), Listener()
    missing, good = promotion(1, ONE), promotion(2, TWO)
    await stored(store, (good, TWO))
    patient = LoadSettings(kafka_wait_seconds=5, retry=RetryPolicy(3600, 1.0, 3600, attempts=None))
    async with running(ModelLoader(store, folder, [listener], patient)) as loader:
        loader.set_target(promotions(missing))
        await eventually(lambda: bool(listener.calls))
        assert listener.calls[0][0] is None
        loader.set_target(promotions(missing, good))
        await eventually(lambda: version_of(loader) == "fast-2")


async def test_without_log_and_store_the_last_good_model_serves_from_disk(folder: ArtefactFolder) -> None:
    folder.keep(promotion(1, ONE), ONE)
    folder.keep(promotion(2, TWO), TWO)
    store = MemoryObjectStore()
    store.away = True
    async with running(ModelLoader(store, folder, [], QUICK)) as loader:
        await eventually(lambda: version_of(loader) == "fast-2")


async def test_a_log_that_answers_in_time_is_believed_before_the_disk(folder: ArtefactFolder) -> None:
    folder.keep(promotion(1, ONE), ONE)
    store = MemoryObjectStore()
    await stored(store, (promotion(2, TWO), TWO))
    listener = Listener()
    async with running(ModelLoader(store, folder, [listener], LoadSettings(kafka_wait_seconds=30))) as loader:
        loader.set_target(promotions(promotion(1, ONE), promotion(2, TWO)))
        await eventually(lambda: bool(listener.calls))
    assert [serving and serving.promotion.sequence for serving, _ in listener.calls] == [2]


async def test_without_the_store_the_model_on_disk_comes_first(
    folder: ArtefactFolder,
) -> None:
    store = MemoryObjectStore()
    await stored(store, (promotion(1, ONE), ONE), (promotion(3, THREE), THREE))
    store.away = True
    folder.keep(promotion(2, TWO), TWO)
    async with running(ModelLoader(store, folder, [], QUICK)) as loader:
        loader.set_target(promotions(promotion(1, ONE), promotion(2, TWO), promotion(3, THREE)))
        await eventually(lambda: version_of(loader) == "fast-2")
        store.away = False
        await eventually(lambda: version_of(loader) == "fast-3")


async def test_an_empty_log_wants_nothing_even_if_the_disk_has_something(folder: ArtefactFolder) -> None:
    folder.keep(promotion(1, ONE), ONE)
    store, listener = MemoryObjectStore(), Listener()
    await stored(store, (promotion(1, TWO), TWO))
    async with running(ModelLoader(store, folder, [listener], LoadSettings(kafka_wait_seconds=30))) as loader:
        loader.set_target(Promotions())
        loader.set_target(promotions(promotion(1, TWO)))
        await eventually(lambda: bool(listener.calls))
    assert [serving and serving.promotion for serving, _ in listener.calls] == [promotion(1, TWO)]


async def test_freezing_keeps_the_loaded_model_and_takes_the_new_sequence(folder: ArtefactFolder) -> None:
    store = SlowStore()
    store.gate.set()
    champion, frozen = promotion(1, ONE), promotion(2, ONE, version="fast-1")
    await stored(store, (champion, ONE))
    async with running(ModelLoader(store, folder, [], QUICK)) as loader:
        loader.set_target(promotions(champion))
        await eventually(lambda: version_of(loader) == "fast-1")
        before = loader.in_service.current
        loader.set_target(promotions(champion, frozen))
        await eventually(lambda: loader.in_service.current is not before)
        after = loader.in_service.current
    assert before is not None
    assert after is not None
    assert after.model is before.model
    assert after.promotion.sequence == 2
    assert len(store.asked) == 1


async def test_a_rollback_swaps_to_a_model_that_is_in_memory(folder: ArtefactFolder) -> None:
    store = MemoryObjectStore()
    first, second = promotion(1, ONE), promotion(2, TWO)
    back = promotion(3, ONE, version=first.version)
    await stored(store, (first, ONE), (second, TWO))
    async with running(ModelLoader(store, folder, [], QUICK)) as loader:
        loader.set_target(promotions(first))
        await eventually(lambda: version_of(loader) == first.version)
        loader.set_target(promotions(first, second))
        await eventually(lambda: version_of(loader) == second.version)
        loaded = parses()
        loader.set_target(promotions(first, second, back))
        await eventually(lambda: version_of(loader) == back.version)
        assert loader.in_service.current is not None
        assert loader.in_service.current.promotion.sequence == 3
        await eventually(lambda: folder.promotions()[0].sequence == 3)
    assert parses() == loaded


async def test_a_folder_that_cannot_be_written_does_not_stop_serving(tmp_path: Path) -> None:
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    store = MemoryObjectStore()
    await stored(store, (promotion(1, ONE), ONE))
    async with running(ModelLoader(store, ArtefactFolder(blocked), [], QUICK)) as loader:
        loader.set_target(promotions(promotion(1, ONE)))
        await eventually(lambda: version_of(loader) == "fast-1")


@pytest.mark.parametrize("key", ["images/sha256/ab/abcd", "uploads/ab/abcd", "models/fast-1/model.onnx"])
async def test_a_key_that_is_not_of_the_version_is_never_asked_for(folder: ArtefactFolder, key: str) -> None:
    store, listener = SlowStore(), Listener()
    store.gate.set()
    await store.put(key, TWO)
    await asyncio.to_thread(folder.keep, promotion(2, TWO), TWO)
    event = promotion(2, TWO).model_copy(update={"artefact_key": key, "sequence": 1})
    async with running(ModelLoader(store, folder, [listener], QUICK)) as loader:
        loader.set_target(promotions(event))
        await eventually(lambda: listener.calls and listener.calls[-1][1])
    failure = listener.calls[-1][1]
    assert failure is not None
    assert "no object of that version" in failure.detail
    assert key not in store.asked


async def test_an_artefact_with_foreign_labels_never_serves(folder: ArtefactFolder) -> None:
    store, listener = MemoryObjectStore(), Listener()
    event = promotion(1, ONE)
    await stored(store, (event, ONE))
    strict = LoadSettings(0.05, 5, QUICK.retry, classes=KnownClasses(("cat", "dog")))
    async with running(ModelLoader(store, folder, [listener], strict)) as loader:
        loader.set_target(promotions(event))
        await eventually(lambda: listener.calls)
        assert loader.in_service.current is None
    failure = listener.calls[0][1]
    assert failure is not None
    assert "PAPPUS_LABELS" in failure.detail


async def test_an_artefact_larger_than_any_model_is_not_read(folder: ArtefactFolder) -> None:
    store, listener, data = MemoryObjectStore(), Listener(), bytes(LARGEST_ARTEFACT_BYTES + 1)
    event = promotion(1, data)
    await stored(store, (event, data))
    async with running(ModelLoader(store, folder, [listener], QUICK)) as loader:
        loader.set_target(promotions(event))
        await eventually(lambda: listener.calls)
    failure = listener.calls[0][1]
    assert failure is not None
    assert "at most 100000000 were asked for" in failure.detail
