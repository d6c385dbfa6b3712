"""The page of a predictor that asks for a key, in a real browser."""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from services.predictor.api.app import build_app
from services.predictor.api.keys import ApiKey, ApiKeys
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.http.docs import PAGE_POLICY
from shared.http.server import listening, serve_http
from shared.imaging.drawing import draw_dandelion
from shared.runtime.health import Health
from tests.e2e.browser_story import with_browser
from tests.e2e.docs_page import docs_page
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact

KEY = "pappus_a-long-random-word"
pytestmark = [pytest.mark.timeout(180), with_browser]


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application from a thread; yield its address."""
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []
    ready = threading.Event()
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()  # so that a connection waits for the server's start

        async def serve() -> None:
            serving = asyncio.create_task(serve_http(app, [bound]))
            started.append((asyncio.get_running_loop(), serving))
            ready.set()
            await asyncio.gather(serving, return_exceptions=True)

        thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        port = bound.getsockname()[1]
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            ready.wait()
            loop, serving = started[0]
            loop.call_soon_threadsafe(serving.cancel)
            thread.join()


@pytest.fixture
def address(tracing: None) -> Iterator[str]:
    """A replica with a model, which asks for a key."""
    in_service, artefact, keys = ModelHolder(), small_artefact(), ApiKeys()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    keys.set_all([ApiKey(name="shop", sha256=hashlib.sha256(KEY.encode()).hexdigest())])
    predictions = Predictions(in_service, PredictionLog(limit=100), "replica-0", Turns(0.25, 2))
    with served(build_app(predictions, Health(needed=set()), 300_000, keys=keys)) as address:
        yield address


def test_a_key_pasted_into_the_page_of_the_predictor_counts(address: str, tmp_path: Path) -> None:
    picture = tmp_path / "dandelion.png"
    picture.write_bytes(draw_dandelion())
    with docs_page(tmp_path / "predictor.png") as page:
        assert page.open(address) == PAGE_POLICY
        page.authorise(Value=KEY)
        named, answered = page.execute("model"), page.execute("predict", picture)

    assert (named.status, answered.status) == (200, 200)
    assert named.trace_id
    assert answered.trace_id
    assert '"replica": "replica-0"' in answered.text
