"""However a form is framed, a replica answers as its description says, or closes the connection."""

import asyncio
import random
from collections.abc import AsyncIterator

import httpx2
import pytest

from services.predictor.api.app import build_app
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.model.readiness import MODEL_PART
from shared.http import connections, limits
from shared.http.server import listening, serve_http
from shared.runtime.health import Health
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact

REQUESTS = 400
ALLOWED = {200, 400, 403, 408, 413, 415, 421, 422, 431}
PIECES = [
    b"--abc",
    b"--abc--",
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\n',
    b'Content-Disposition: form-data; name="file"\r\n\r\n',
    b'Content-Disposition: form-data; name=""; filename=""\r\n\r\n',
    b"Content-Disposition: form-data; filename*=utf-8''x; name=file\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=abc\r\n",
    b"Content-Type: text/plain; charset=idna\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"X" * 20_000,
    b"\x00\xff\xfe",
    b": \r\n",
]
TYPES = [
    b"multipart/form-data; boundary=abc",
    b'multipart/form-data; boundary="abc"; charset=idna',
    b"multipart/form-data; boundary=" + b"B" * 300,
    b"multipart/form-data; boundary=\xff\xfe",
    b"multipart/form-data; boundary=",
    b"multipart/form-data",
    b"multipart/mixed; boundary=abc",
    b"application/json",
    b"",
]


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A replica with a model, on a socket, with short deadlines."""
    for module, name in ((connections, "HEAD_SECONDS"), (connections, "LINGER_SECONDS"), (limits, "BODY_SECONDS")):
        monkeypatch.setattr(module, name, 0.2)
    in_service, artefact = ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    predictions = Predictions(in_service, PredictionLog(limit=10_000), "replica-0", Turns(0.25, 64))
    app = build_app(predictions, Health(needed={MODEL_PART}), 300_000)
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(app, [bound]))
        yield bound.getsockname()[1]
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def request(chance: random.Random) -> bytes:
    """Return one request, whole or not."""
    body = b"".join(chance.choices([*PIECES, picture(), chance.randbytes(50)], k=chance.randrange(12)))
    if chance.random() < 0.5:
        body = b"--abc\r\n" + PIECES[5] + picture() + b"\r\n" + body
    if chance.random() < 0.2:
        size = chance.choice([b"3", b"0", b"+5", b"-1", b"1e3", b"9" * 30, b"7, 8", b"400000"])
        framing = b"Content-Length: " + size
    elif chance.random() < 0.2:
        cut = chance.randrange(len(body) + 1)
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part)
        body, framing = chunks + chance.choice([b"0\r\n\r\n", b"", b"zz\r\n"]), b"Transfer-Encoding: chunked"
    else:
        framing = b"Content-Length: %d" % len(body)
    kind = b"Content-Type: " + chance.choice(TYPES)
    return (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + framing
        + b"\r\n"
        + kind
        + b"\r\n\r\n"
        + body
    )


async def statuses(port: int, sent: bytes) -> list[int]:
    """Send the bytes, nothing more, and return the status of each answer until the connection closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = b""
    try:
        writer.write(sent)
        await writer.drain()
        came = await asyncio.wait_for(reader.read(), 60)
    except ConnectionError:
        pass
    finally:
        writer.close()
    return [int(line.split()[1]) for line in came.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


async def test_any_framing_of_a_form_is_answered_as_described(port: int) -> None:
    chance = random.Random(8)
    seen: set[int] = set()
    for _ in range(REQUESTS // 20):
        batch = [request(chance) for _ in range(20)]
        for sent, found in zip(batch, await asyncio.gather(*(statuses(port, sent) for sent in batch)), strict=True):
            assert found, sent
            assert set(found) <= ALLOWED, sent
            seen |= set(found)
    assert {200, 400, 415, 422} <= seen

    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/model")).status_code == 200
