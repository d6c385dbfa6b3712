"""More requests at once than a replica can answer in time, on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.decisions.answers import Output
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.http import limits
from shared.http.server import listening, serve_http
from shared.imaging.structure import Pixels
from shared.runtime.health import Health
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact

ANSWER_SECONDS, WAIT_SECONDS, AT_ONCE = 0.05, 0.2, 20
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b"
) % (len(picture()), picture())


class SlowModel(Model):
    """A model that holds the processor for so long, though it answered quickly when it was loaded."""

    def answer(self, pixels: Pixels) -> Output:
        time.sleep(ANSWER_SECONDS)
        return super().answer(pixels)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    in_service, artefact = ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact), SlowModel(artefact), NOON))
    log = PredictionLog(limit=100)
    predictions = Predictions(in_service, log, "replica-0", Turns(WAIT_SECONDS, 64))
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(build_app(predictions, Health(needed=set()), 100_000), [bound]))
        yield bound.getsockname()[1]
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def ask(port: int) -> bytes:
    """Ask for a prediction, and return the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    came = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return came


async def test_the_body_of_the_usual_request_has_a_deadline(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST[:-5])
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_who_would_be_answered_too_late_is_told_so_at_once(port: int) -> None:
    answers = await asyncio.gather(*(ask(port) for _ in range(AT_ONCE)))
    answered = [answer for answer in answers if answer.startswith(b"HTTP/1.1 200 ")]
    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
    assert len(answered) + len(refused) == AT_ONCE
    assert answered
    assert refused
    assert all(b"retry-after: 1\r\n" in answer.lower() and b'"overloaded"' in answer for answer in refused)
    assert (await ask(port)).startswith(b"HTTP/1.1 200 ")
