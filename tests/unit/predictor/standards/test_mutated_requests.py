"""Valid requests of the standard protocols with something wrong in them: each is answered, or refused with a sentence
of the protocol, over HTTP and gRPC; none is a fault of the server, and none keeps it busy."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from typing import Any

import grpc
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.predictor.api.standards.tensors import pack_bytes
from tests.fuzzing.mutations import mutated, with_wrong_values
from tests.profiles import examples

from .conftest import Replica
from .grpc_asking import ANSWERS, Asker, asking, images, outputs_of
from .test_open_inference import GREEN, INFER, RED, text_of
from .test_open_inference import asking as infer_body

HANGS_SECONDS = 60
LENGTH = "Inference-Header-Content-Length"
PIXELS = [0, 255, 7] * 4
R, G = text_of(RED), text_of(GREEN)


def tensor(name: str, datatype: str, shape: list[int], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, **more}


def behind(**sizes: int) -> dict[str, Any]:
    return {"parameters": {f"binary_{name}": size for name, size in sizes.items()}}


OUTPUTS = [{"name": "classes", "parameters": {"binary_data": True}}, {"name": "label"}]
FLAT = [
    infer_body(RED, GREEN, id="a7"),
    infer_body(RED, outputs=OUTPUTS, parameters={"binary_data_output": False}),
    {"inputs": [tensor("pixels", "UINT8", [1, 2, 2, 3], data=PIXELS)]},
    {"inputs": [tensor("pixels", "UINT8", [2, 2, 3], data=[[[0, 1, 2], [3, 4, 5]]] * 2)]},
]
"""Requests to /v2/models/plants/infer that are JSON alone."""
PACKED = pack_bytes([RED, GREEN])
BINARY = [
    ({"inputs": [tensor("image", "BYTES", [2, 1], **behind(data_size=len(PACKED)))]}, PACKED),
    ({"inputs": [tensor("pixels", "UINT8", [2, 2, 3], **behind(data_size=12))], "outputs": OUTPUTS}, bytes(PIXELS)),
]
"""Those with tensors as bytes behind the JSON."""
SCORING = [
    {"dataframe_split": {"columns": ["id", "image"], "index": [0, 1], "data": [[1, R], [2, G]]}},
    {"dataframe_records": [{"image": R}, {"image": G, "id": 3}]},
    {"instances": [R, G]},
    {"inputs": {"image": [R]}},
]
"""Requests to /invocations in its four forms."""
CALLS = [
    images(RED, GREEN, id="a7").SerializeToString(),
    images(RED, raw=True, outputs=["classes", "label"]).SerializeToString(),
]
"""Messages of ModelInfer."""
SETTINGS = settings(examples(2), suppress_health_check=list(HealthCheck))


def as_json(documents: list[Any]) -> st.SearchStrategy[bytes]:
    """Return JSON with a wrong value, or with wrong bytes."""
    valid = st.sampled_from(documents)
    return with_wrong_values(valid).map(lambda found: json.dumps(found).encode()) | mutated(
        valid.map(lambda found: json.dumps(found).encode())
    )


async def post(replica: Replica, path: str, content: bytes, headers: dict[str, Any], allowed: Collection[int]) -> Any:
    """Send a request, and return the answer, which is 200 or one of `allowed`."""
    async with asyncio.timeout(HANGS_SECONDS):
        response = await replica.client.post(path, content=content, headers=headers)
    assert response.status_code in {200, *allowed}, response.text
    return response


def check_infer(response: httpx2.Response) -> None:
    """Look whether the answer of the Open Inference Protocol has all that it says it has."""
    if response.status_code != 200:
        assert list(response.json()) == ["error"]
        return
    length = int(response.headers.get(LENGTH, len(response.content)))
    outputs = json.loads(response.content[:length])["outputs"]
    binary = sum(each.get("parameters", {}).get("binary_data_size", 0) for each in outputs)
    assert binary == len(response.content) - length


@SETTINGS
@given(body=as_json(FLAT))
async def test_infer_answers_or_refuses_any_json(replica: Replica, body: bytes) -> None:
    check_infer(await post(replica, INFER, body, {}, {400, 413}))


@SETTINGS
@given(data=st.data())
async def test_infer_answers_or_refuses_any_bytes_behind_the_json(replica: Replica, data: st.DataObject) -> None:
    head, tensors = data.draw(st.sampled_from(BINARY))
    document = data.draw(st.just(head) | with_wrong_values(st.just(head)))
    described = json.dumps(document).encode()
    sent = described + data.draw(st.just(tensors) | mutated(st.just(tensors)))
    length = data.draw(st.just(str(len(described))) | st.integers(-1, len(sent) + 1).map(str) | st.sampled_from("٣x "))
    header = {LENGTH: length.encode()}
    check_infer(await post(replica, INFER, sent, header, {400, 413}))


@SETTINGS
@given(body=as_json(SCORING))
async def test_invocations_answers_or_refuses_any_json(replica: Replica, body: bytes) -> None:
    response = await post(replica, "/invocations", body, {"content-type": "application/json"}, {400, 413, 422})
    assert ("predictions" in response.json()) == (response.status_code == 200)
    assert ("error_code" in response.json()) == (response.status_code != 200)


@SETTINGS
@given(body=mutated(st.sampled_from([RED, GREEN])), kind=st.sampled_from(["image/png", "image/jpeg", "image/PNG; q=1"]))
async def test_any_damaged_file_is_answered_or_no_image(replica: Replica, body: bytes, kind: str) -> None:
    for path in ("/invocations", "/predict"):
        await post(replica, path, body, {"content-type": kind}, {413, 422})


@pytest.fixture
async def asker(replica: Replica) -> AsyncIterator[Asker]:
    async with asking(replica) as made:
        yield made


@SETTINGS
@given(message=mutated(st.sampled_from(CALLS)))
async def test_model_infer_answers_or_refuses_any_message(asker: Asker, message: bytes) -> None:
    call = asker.begin("ModelInfer", message)
    async with asyncio.timeout(HANGS_SECONDS):
        code = await call.code()
    if code is grpc.StatusCode.OK:
        assert outputs_of(ANSWERS["ModelInfer"].FromString(await call))
    else:
        assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), await call.details()
        assert await call.details()
