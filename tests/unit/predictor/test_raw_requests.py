"""Any bytes may come over a connection: each request is answered once, or it closes, and the replica serves on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.http import connections as http_connections
from shared.http import limits
from shared.http import server as http_server
from shared.http.server import listening, serve_http
from shared.runtime.health import Health
from tests.fuzzing.raw_requests import Sent, answers_in, connections
from tests.profiles import examples
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact

ALLOWED = {200, 400, 403, 404, 405, 408, 413, 415, 421, 422, 431, 503}
HANGS_SECONDS = 60
LEAVING = ("stay", "stay", "stay", "half", "abort")
"""What a client does after it has sent all: wait for answers, close its half of the connection, or reset it."""
DEADLINES = (
    (http_connections, "HEAD_SECONDS"),
    (http_connections, "LINGER_SECONDS"),
    (limits, "BODY_SECONDS"),
    (http_server, "KEEP_ALIVE_SECONDS"),
)


class Faults(logging.Handler):
    """Keeps what is logged as an error, and what the event loop has to complain about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(self.format(record))

    def complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep an exception that nothing awaited."""
        self.found.append(repr(context))


@pytest.fixture
def faults() -> Any:
    made = Faults()
    logging.getLogger().addHandler(made)
    yield made
    logging.getLogger().removeHandler(made)


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch, faults: Faults) -> AsyncIterator[int]:
    """A replica with a model, on a socket, with short deadlines."""
    for module, name in DEADLINES:
        monkeypatch.setattr(module, name, 0.1)
    asyncio.get_running_loop().set_exception_handler(faults.complain)
    in_service, artefact = ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    predictions = Predictions(in_service, PredictionLog(limit=10_000), "replica-0", Turns(0.25, 64))
    app = build_app(predictions, Health(needed=()), 300_000)
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(app, [bound]))
        yield bound.getsockname()[1]
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def answered(port: int, sent: Sent, leaving: str) -> bytes | None:
    """Send it in its pieces and return what comes until the connection closes; None if the client left before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = b""
    try:
        for start, end in zip((0, *sent.pieces), (*sent.pieces, len(sent.data)), strict=True):
            writer.write(sent.data[start:end])
            await writer.drain()
            await asyncio.sleep(0)
        if leaving == "abort":
            writer.transport.abort()
            return None
        if leaving == "half":
            writer.write_eof()
        async with asyncio.timeout(HANGS_SECONDS):
            while piece := await reader.read(65_536):
                came += piece
    except OSError:  # it closed while more was sent
        return None
    finally:
        writer.close()
    return came


@settings(examples(1), suppress_health_check=list(HealthCheck))
@given(batch=st.lists(st.tuples(connections(), st.sampled_from(LEAVING)), min_size=1, max_size=8))
async def test_each_request_is_answered_once_or_its_connection_closes(
    port: int, faults: Faults, batch: list[tuple[Sent, str]]
) -> None:
    came = await asyncio.gather(*(answered(port, *each) for each in batch))
    for (sent, _), answers in zip(batch, came, strict=True):
        if answers is not None:
            statuses, ended = answers_in(answers, sent.methods)
            assert set(statuses) <= ALLOWED, (statuses, sent)
            assert len(statuses) - ended <= sent.most, (
                statuses,
                sent,
            )  # the end may be the answer to what is no request
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/model")).status_code == 200
    assert not faults.found
