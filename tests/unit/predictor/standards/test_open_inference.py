"""The Open Inference Protocol over HTTP, without a socket."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from io import BytesIO
from typing import Any
from unittest.mock import AsyncMock

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from prometheus_client import REGISTRY

from services.predictor.api.standards.pictures import bmp_of
from services.predictor.api.standards.tensors import pack_bytes, unpack_bytes
from services.predictor.model.holder import ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.model.readiness import MODEL_PART
from shared.http.limits import bytes_as_base64
from shared.imaging.decoding import decode
from shared.testing import eventually
from tests.profiles import examples
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import picture, small_artefact

from .conftest import LIMIT_BYTES, Replica
from .test_tensors import REQUESTS

INFER = "/v2/models/plants/infer"
RED, GREEN = picture(255, 0, 0), picture(0, 255, 0)


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def asking(*images: bytes, **more: object) -> dict[str, Any]:
    """Return a request about images, in JSON."""
    data = [text_of(each) for each in images]
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(images)], "data": data}], **more}


def outputs_of(response: httpx2.Response) -> dict[str, Any]:
    """Return the outputs of an answer that is JSON, by name."""
    assert response.status_code == 200, response.text
    return {each["name"]: each["data"] for each in response.json()["outputs"]}


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def refused(replica: Replica, status: int, **request: Any) -> str:
    """Send a request that is refused; return the sentence."""
    response = await replica.client.post(request.pop("path", INFER), **request)
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    return str(response.json()["error"])


async def test_a_batch_is_answered_counted_and_logged_image_by_image(replica: Replica) -> None:
    before = [count("pappus_predictions_total", label=label, source="api") for label in ("dandelion", "grass")]
    response = await replica.client.post(INFER, json=asking(RED, GREEN, RED, id="a7"))
    assert (response.json()["model_name"], response.json()["model_version"]) == ("plants", "fast-3")
    assert response.json()["id"] == "a7"
    found = outputs_of(response)
    assert list(found) == ["label", "probabilities", "model_version", "prediction_id"]
    assert found["label"] == ["dandelion", "grass", "dandelion"]
    assert found["model_version"] == ["fast-3"] * 3
    alone = (await replica.client.post("/predict", files={"file": RED})).json()
    assert found["probabilities"][:2] == list(alone["probabilities"].values())
    logged = (await replica.logged())[:3]
    assert [str(each.prediction_id) for each in logged] == found["prediction_id"]
    assert [each.label for each in logged] == found["label"]
    assert logged[0].sha256 == hashlib.sha256(RED).hexdigest()
    after = [count("pappus_predictions_total", label=label, source="api") for label in ("dandelion", "grass")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [3, 1]  # that of /predict is among them


async def test_pixels_are_answered_like_the_file_they_come_from(replica: Replica) -> None:
    pixels = decode(RED)
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape), "data": pixels.tolist()}
    found = outputs_of(await replica.client.post(INFER, json={"inputs": [tensor]}))
    of_file = outputs_of(await replica.client.post(INFER, json=asking(RED)))
    assert (found["label"], found["probabilities"]) == (of_file["label"], of_file["probabilities"])
    assert (await replica.logged())[0].sha256 == hashlib.sha256(bmp_of(pixels)).hexdigest()


async def test_tensors_may_be_bytes_both_ways(replica: Replica) -> None:
    packed = pack_bytes([RED, GREEN])
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "image",
                    "datatype": "BYTES",
                    "shape": [2, 1],
                    "parameters": {"binary_data_size": len(packed)},
                }
            ],
            "outputs": [
                {"name": "probabilities", "parameters": {"binary_data": True}},
                {"name": "classes"},
                {"name": "label", "parameters": {"binary_data": True}},
            ],
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    response = await replica.client.post(INFER, content=head + packed, headers=headers)
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers["inference-header-content-length"])
    probabilities, classes, label = json.loads(response.content[:length])["outputs"]
    assert classes == {"name": "classes", "datatype": "BYTES", "shape": [2], "data": ["dandelion", "grass"]}
    assert probabilities["parameters"] == {"binary_data_size": 16}
    rows = np.frombuffer(response.content[length : length + 16], "<f4").reshape(probabilities["shape"])
    assert rows.argmax(axis=1).tolist() == [0, 1]
    assert unpack_bytes(response.content[length + 16 :], most=2) == [b"dandelion", b"grass"]
    assert label["parameters"] == {"binary_data_size": len(response.content) - length - 16}


async def test_all_outputs_may_be_asked_for_as_bytes(replica: Replica) -> None:
    response = await replica.client.post(INFER, json=asking(RED, parameters={"binary_data_output": True}))
    length = int(response.headers["inference-header-content-length"])
    assert all("data" not in each for each in json.loads(response.content[:length])["outputs"])


async def test_the_server_and_the_model_describe_themselves(replica: Replica) -> None:
    server = (await replica.client.get("/v2")).json()
    assert (server["name"], server["extensions"]) == ("pappus", ["binary_tensor_data"])
    for path in ("/v2/models/plants", "/v2/models/plants/versions/fast-3"):
        model = (await replica.client.get(path)).json()
        assert (model["name"], model["versions"]) == ("plants", ["fast-3"])
        assert [each["name"] for each in model["inputs"]] == ["image", "pixels"]
        assert {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]} in model["outputs"]
        assert (await replica.client.get(f"{path}/ready")).json() == {"name": "plants", "ready": True}
        assert outputs_of(await replica.client.post(f"{path}/infer", json=asking(RED)))["label"] == ["dandelion"]


async def test_a_version_that_does_not_serve_is_404_and_names_the_one_that_does(replica: Replica) -> None:
    replica.serve(4)
    path = "/v2/models/plants/versions/fast-3"
    said = await refused(replica, 404, path=f"{path}/infer", json=asking(RED))
    assert said.startswith("Version 'fast-3' of the model does not serve here; 'fast-4' does.")
    for missing in (path, f"{path}/ready", "/v2/models/flowers", "/v2/models/flowers/ready"):
        response = await replica.client.get(missing)
        assert response.status_code == 404
        assert "'plants'" in response.json()["error"] or "'fast-4'" in response.json()["error"]


async def test_without_a_model_the_replica_lives_but_is_not_ready() -> None:
    replica = Replica(needed={MODEL_PART})
    async with replica.client as client:
        assert (await client.get("/v2/health/live")).json() == {"live": True}
        assert (await client.get("/v2/health/ready")).status_code == 503
        for path in ("/v2/models/plants", "/v2/models/plants/ready"):
            response = await client.get(path)
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
            assert "/readyz" in response.json()["error"]
        assert "No model" in await refused(replica, 503, json=asking(RED))


async def test_one_image_that_is_none_refuses_the_batch_and_records_none(replica: Replica) -> None:
    before = count("pappus_prediction_refusals_total", reason="not_an_image")
    said = await refused(replica, 400, json=asking(RED, b"hello", GREEN))
    assert said.startswith("Image 1: This is not an image.")
    assert (await refused(replica, 400, json=asking(b"hello"))).startswith("This is not an image.")
    assert count("pappus_prediction_refusals_total", reason="not_an_image") == before + 2
    assert await replica.logged() == []


@pytest.mark.parametrize(
    ("request_json", "said"),
    [
        (asking(), "Send 1 to 64"),
        (asking(RED, outputs=[{"name": "logits"}]), "Ask for some of label, probabilities"),
        (asking(RED, outputs=[{"name": "label"}, {"name": "label"}]), "each once"),
        (asking(RED, id="\ud800", outputs=[{"name": "\ud800"}]), "are asked for"),
    ],
)
async def test_a_request_that_cannot_be_answered_says_why(
    replica: Replica, request_json: dict[str, Any], said: str
) -> None:
    assert said in await refused(replica, 400, content=json.dumps(request_json).encode())


async def test_an_id_that_is_no_valid_text_comes_back_as_it_was(replica: Replica) -> None:
    response = await replica.client.post(INFER, content=json.dumps(asking(RED, id="\ud800")).encode())
    assert response.json()["id"] == "\ud800"


async def test_a_compressed_body_is_refused(replica: Replica) -> None:
    said = await refused(replica, 400, content=b"x", headers={"content-encoding": "gzip"})
    assert "compressed ('gzip')" in said


async def test_an_image_may_be_as_large_as_a_file_of_a_form(replica: Replica) -> None:
    head = 54
    side = int(((LIMIT_BYTES - head) / 3) ** 0.5) // 4 * 4
    large = bmp_of(np.zeros((side, side, 3), np.uint8))
    assert LIMIT_BYTES - 10_000 < len(large) <= LIMIT_BYTES
    lines = base64.encodebytes(large).decode()
    asked = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [lines]}]}
    assert (await replica.client.post(INFER, json=asked)).status_code == 200
    assert "at most 300,000 bytes" in await refused(replica, 413, json=asking(large + bytes(20_000)))
    whole = bytes(bytes_as_base64(LIMIT_BYTES) + 1)
    assert "at most 476" in await refused(replica, 413, content=whole)


async def test_further_requests_are_refused_while_too_many_are_in_flight(replica: Replica) -> None:
    turns = replica.predictions.turns
    with await turns.take("a") as one, ExitStack() as held:
        one.leave()
        held.enter_context(await turns.take("b")).leave()
        assert "Too many predictions" in await refused(replica, 503, json=asking(RED))
    assert (await replica.client.post(INFER, json=asking(RED))).status_code == 200


@pytest.fixture
def scored(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    """The scoring of the replica, which counts its calls."""
    scoring = replica.predictions._scoring
    counted = AsyncMock(wraps=scoring.score)
    monkeypatch.setattr(scoring, "score", counted)
    return counted


async def test_a_batch_whose_client_has_left_is_not_answered_to_its_end(replica: Replica, scored: AsyncMock) -> None:
    body, came = json.dumps(asking(*[RED] * 64)).encode(), asyncio.Event()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": INFER,
        "raw_path": INFER.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
    }

    async def receive() -> dict[str, Any]:
        if came.is_set():
            await eventually(lambda: scored.call_count > 2)
            return {"type": "http.disconnect"}
        came.set()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_: Any) -> None:
        pass

    await asyncio.wait_for(replica.app(scope, receive, send), 30)
    assert 2 < scored.call_count < 64
    assert await replica.logged() == []


async def test_images_that_take_long_to_decode_come_alone(replica: Replica) -> None:
    file = BytesIO()
    Image.new("RGB", (7000, 7000)).save(file, "WEBP", lossless=True)
    large = file.getvalue()
    said = await refused(replica, 413, json=asking(large, *[large] * 63))
    assert "Send each in its own request" in said
    assert await replica.logged() == []


async def test_too_many_pictures_of_pixels_are_refused_and_none_too(replica: Replica) -> None:
    for number in (0, 65):
        pixels = {"name": "pixels", "datatype": "UINT8", "shape": [number, 1, 1, 3], "data": [0, 0, 0] * number}
        assert "1 to 64" in await refused(replica, 400, json={"inputs": [pixels]})


async def test_a_batch_is_answered_by_one_model_and_lets_others_have_their_turn(
    replica: Replica, scored: AsyncMock
) -> None:
    batch = asyncio.create_task(replica.client.post(INFER, json=asking(*[RED] * 64)))
    await eventually(lambda: scored.call_count > 0)
    replica.in_service.swap(ServingModel(promotion(4), Model(small_artefact(bias=(-9.0, 9.0))), NOON))
    other = await replica.client.post("/predict", files={"file": RED})
    assert (other.json()["label"], batch.done()) == ("grass", False)
    found = outputs_of(await batch)
    assert set(found["model_version"]) == {"fast-3"}
    assert set(found["label"]) == {"dandelion"}


@pytest.mark.parametrize(("path", "status"), [(INFER, 200), ("/v2/models/plants/versions/fast-3/infer", 404)])
async def test_the_model_counts_that_serves_when_the_body_is_there(replica: Replica, path: str, status: int) -> None:
    reading, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" "
        reading.set()
        await goes_on.wait()
        yield json.dumps(asking(RED)).encode()

    sent = asyncio.create_task(replica.client.post(path, content=slowly()))
    await reading.wait()
    replica.serve(4)
    goes_on.set()
    response = await sent
    assert response.status_code == status
    assert "fast-4" in response.text


async def test_the_deadline_of_a_body_holds_here_too(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.http.limits.BODY_SECONDS", 0.05)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    assert "did not come in time" in await refused(replica, 408, content=stalled())


@settings(examples(1), suppress_health_check=list(HealthCheck))
@given(
    request=REQUESTS | st.builds(lambda more: asking(RED) | more, REQUESTS),
    behind=st.binary(max_size=20),
    with_header=st.booleans(),
)
async def test_rubbish_is_no_fault_of_the_server(
    replica: Replica, request: dict[str, Any], behind: bytes, with_header: bool
) -> None:
    head = json.dumps(request).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))} if with_header else {}
    response = await replica.client.post(INFER, content=head + behind, headers=headers)
    assert response.status_code in (200, 400), response.text
