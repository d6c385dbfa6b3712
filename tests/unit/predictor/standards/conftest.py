"""A replica with a model, asked by the protocols of other model servers."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.http.api import Api
from shared.http.server import listening, serve_http
from shared.runtime.health import Health
from shared.testing import MemoryEventLog
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact

LIMIT_BYTES = 300_000
PROJECT = Path(__file__).parents[4]


class Replica:
    """A replica without Kafka and loader."""

    def __init__(self, needed: Collection[str] = ()) -> None:
        """`needed`: what has to be good before it is ready."""
        self.in_service = ModelHolder()
        self.prediction_log = PredictionLog(limit=1_000)
        self.predictions = Predictions(self.in_service, self.prediction_log, "replica-0", Turns(0.25, 2))
        self.health = Health(needed)
        self.app: Api = build_app(self.predictions, self.health, LIMIT_BYTES)
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://replica")

    def serve(self, sequence: int, artefact: bytes | None = None) -> None:
        """Let version fast-<sequence> of the model "plants" answer."""
        artefact = artefact or small_artefact()
        self.in_service.swap(ServingModel(promotion(sequence, artefact), Model(artefact), NOON))

    async def logged(self) -> list[PredictionLogged]:
        """Return the answers that are published at a shutdown now."""
        event_log = MemoryEventLog()
        async with event_log.publisher("pappus/jobs") as publisher:
            task = asyncio.create_task(self.prediction_log.run(publisher))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return [answer for event in event_log.events(AnswersLogged) for answer in event.each()]


@asynccontextmanager
async def on_a_socket(app: Api) -> AsyncIterator[int]:
    """Serve an application over HTTP while the context is open; give the port."""
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(app, [bound]))
        try:
            yield bound.getsockname()[1]
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)


async def output_of(*command: str, folder: Path = PROJECT) -> bytes:
    """Run a program and return what it writes. Raises AssertionError with what it says if it fails."""
    program = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await program.communicate()
    assert program.returncode == 0, errors.decode()
    return output


@pytest.fixture
async def replica(tracing: None) -> AsyncIterator[Replica]:
    made = Replica()
    made.serve(3)
    async with made.client:
        yield made
