"""The whole way in one process: promotions on the log, steady requests, and every answer from the model it names."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.decisions.promotions import Promotions, fold
from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.holder import ServingModel
from services.predictor.model.loader import KEPT_SERVED, Failure, ModelLoader
from services.predictor.model.model_files import KEPT_BASES
from services.predictor.model.onnx_model import Graph, Model
from services.predictor.model.readiness import MODEL_PART, readiness
from services.predictor.promotions.follower import Follower
from services.predictor.promotions.model_loaded import ModelLoadedReporter
from shared.contract.events import ModelPromoted
from shared.contract.replicas import AnswersLogged, ModelLoaded
from shared.runtime.health import Health
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import picture, small_artefact

BLACK = picture(0, 0, 0)


@asynccontextmanager
async def replica(
    event_log: MemoryEventLog, store: MemoryObjectStore, state: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a replica as its composition root puts it together, without a socket."""
    health = Health(needed={MODEL_PART})
    reporter, prediction_log = ModelLoadedReporter("replica-0", "plants"), PredictionLog(10_000)
    loader = ModelLoader(store, ArtefactFolder(state), [readiness(health), reporter.notify])
    predictions = Predictions(loader.in_service, prediction_log, "replica-0", Turns(0.25, 64))
    transport = httpx2.ASGITransport(build_app(predictions, health, 100_000), raise_app_exceptions=False)
    async with (
        event_log.publisher("pappus/predictor") as publisher,
        httpx2.AsyncClient(transport=transport, base_url="http://replica") as client,
    ):
        follower = Follower(event_log, publisher, loader.set_target, health)
        parts = [follower.run(), loader.run(), prediction_log.run(publisher), reporter.run(publisher)]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            yield client
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def promote(event_log: MemoryEventLog, store: MemoryObjectStore, sequence: int) -> ModelPromoted:
    artefact = small_artefact(bias=(sequence / 10, 0.0))
    event = promotion(sequence, artefact)
    await store.put(event.artefact_key, artefact)
    async with event_log.publisher("pappus/trainer") as publisher:
        await publisher.publish([event])
    return event


async def predict(client: httpx2.AsyncClient) -> httpx2.Response:
    return await client.post("/predict", files={"file": BLACK})


async def test_promotions_lose_no_request_and_each_answer_fits_its_version(tmp_path: Path) -> None:
    event_log, store = MemoryEventLog(), MemoryObjectStore()
    await promote(event_log, store, 1)
    async with replica(event_log, store, tmp_path) as client:

        async def serves(sequence: int) -> bool:
            model = await client.get("/model")
            return model.status_code == 200 and model.json()["sequence"] == sequence

        await eventually(lambda: serves(1))
        responses: list[httpx2.Response] = []
        over = asyncio.Event()

        async def steadily() -> None:
            while not over.is_set():
                responses.append(await predict(client))
                await asyncio.sleep(0)  # in memory a request never waits, so nothing else would ever run

        async def promotions() -> None:
            for sequence in range(2, 12):
                await promote(event_log, store, sequence)
                await eventually(lambda: serves(sequence))  # noqa: B023 - asked within this round only
            over.set()

        await asyncio.gather(steadily(), steadily(), promotions())
        await eventually(lambda: logged(event_log) == len(responses))
        await eventually(lambda: event_log.events(ModelLoaded)[-1].sequence == 11)
    assert {response.status_code for response in responses} == {200}
    answers = [(body["model_sequence"], body["probabilities"]["dandelion"]) for body in (r.json() for r in responses)]
    assert len(set(answers)) == len({sequence for sequence, _ in answers}) > 1
    assert [sequence for sequence, _ in answers] == sorted(sequence for sequence, _ in answers)


def logged(event_log: MemoryEventLog) -> int:
    """Return how many answers the log has."""
    return sum(len(event.answers) for event in event_log.events(AnswersLogged))


async def test_of_earlier_models_the_last_alone_stay_in_memory(tmp_path: Path) -> None:
    event_log, store = MemoryEventLog(), MemoryObjectStore()
    models, graphs = list[weakref.ref[Model]](), list[weakref.ref[Graph]]()

    def remember(serving: ServingModel | None, _failure: Failure | None) -> None:
        assert serving is not None
        models.append(weakref.ref(serving.model))
        graphs.append(weakref.ref(serving.model.graph))

    loader = ModelLoader(store, ArtefactFolder(tmp_path), [remember])
    running, promotions = asyncio.create_task(loader.run()), Promotions()
    for sequence in range(1, 11):
        promotions = fold(promotions, await promote(event_log, store, sequence))
        loader.set_target(promotions)
        await eventually(lambda expected=sequence: len(models) == expected)  # type: ignore[misc]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    gc.collect()
    assert [each() is not None for each in models] == [False] * (10 - KEPT_SERVED) + [True] * KEPT_SERVED
    assert [each() is not None for each in graphs] == [False] * (10 - KEPT_BASES) + [True] * KEPT_BASES


async def test_predictions_without_log_and_store_are_logged_afterwards(tmp_path: Path) -> None:
    event_log, store = MemoryEventLog(), MemoryObjectStore()
    await promote(event_log, store, 1)
    async with replica(event_log, store, tmp_path) as client:

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(ready)
        event_log.away = store.away = True
        responses = [await predict(client) for _ in range(20)]
        assert {response.status_code for response in responses} == {200}
        assert await ready()
        event_log.away = store.away = False
        await eventually(lambda: logged(event_log) == 20)
