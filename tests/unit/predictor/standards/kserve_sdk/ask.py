"""Asks a replica with KServe's SDK: a program for the environment of the SDK, which has nothing of ours.

PYTHON ask.py QUESTIONS HTTP_PORT GRPC_PORT RED GREEN (files of pictures)
"""

import asyncio
import base64
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.inference_client import httpx
from kserve.protocol.infer_type import RequestedOutput
from PIL import Image

KEY = "key-of-the-shop"


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica, the two clients that ask it, and files to ask about."""

    url: str
    rest: Any
    calls: Any
    files: list[bytes]

    async def labels(self) -> list[str]:
        """Return what `/predict` says of the files."""
        async with httpx.AsyncClient() as client:
            answers = [await client.post(f"{self.url}/predict", files={"file": file}) for file in self.files]
        return [answer.json()["label"] for answer in answers]

    def bytes_input(self) -> Any:
        """Return the files as bytes behind the JSON, or behind the fields of a message."""
        made = InferInput("image", [len(self.files)], "BYTES")
        made.set_data_from_numpy(np.array(self.files, np.object_), binary_data=True)
        return made

    def pixels_input(self, binary: bool) -> Any:
        """Return the pixels of the files, as bytes or as numbers in a list."""
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in self.files])
        made = InferInput("pixels", list(pixels.shape), "UINT8")
        made.set_data_from_numpy(pixels, binary_data=binary)
        return made


async def ask_over_http(replica: Replica) -> None:
    """Ask everything that the client of HTTP asks; give 16 images that are answered, 2 of them by `/predict`."""
    url, client, labels = replica.url, replica.rest, await replica.labels()
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "plants")
    assert await client.is_model_ready(url, "plants/versions/fast-3")
    assert not await client.is_model_ready(url, "plants/versions/fast-2")
    assert not await client.is_model_ready(url, "roses")

    texts = [base64.b64encode(file).decode() for file in replica.files]
    for sent in (
        replica.bytes_input(),
        InferInput("image", [2], "BYTES", data=texts),
        replica.pixels_input(binary=True),
        replica.pixels_input(binary=False),
    ):
        answer = await client.infer(url, InferRequest("plants", [sent], request_id="9"), model_name="plants")
        check(answer, labels, "9")
    fields = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [2], "data": texts}], "id": "9"}
    check(await client.infer(url, fields, model_name="plants/versions/fast-3"), labels, "9")

    asked = InferRequest("plants", [replica.bytes_input()], parameters={"binary_data_output": True}, request_id="9")
    check(await client.infer(url, asked, model_name="plants"), labels, "9")
    wanted = [RequestedOutput("classes"), RequestedOutput("label", {"binary_data": True})]
    asked = InferRequest("plants", [replica.bytes_input()], request_outputs=wanted)
    classes, label = (await client.infer(url, asked, model_name="plants")).outputs
    assert texts_of(classes) == ["dandelion", "grass"]
    assert texts_of(label) == labels

    for name, broken, words in (
        ("plants/versions/fast-2", replica.bytes_input(), ("404 Not Found", "'fast-3' does")),
        ("roses", replica.bytes_input(), ("404 Not Found", "There is no model 'roses'")),
        ("plants", InferInput("image", [1], "BYTES", data=[texts[0][:40]]), ("400 Bad Request", "cut off or damaged")),
        ("plants", InferInput("image", [2], "FP32", data=[1.0, 2.0]), ("400 Bad Request", "The datatype of input")),
    ):
        with refused(httpx.HTTPStatusError, *words):
            await client.infer(url, InferRequest(name, [broken]), model_name=name)


async def ask_over_grpc(replica: Replica) -> None:
    """Ask everything that the client of gRPC asks; give 14 images that are answered, 2 of them by `/predict`."""
    client, labels = replica.calls, await replica.labels()
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready("plants")
    with refused(grpc.RpcError, "StatusCode.NOT_FOUND", "There is no model 'roses'"):
        await client.is_model_ready("roses")

    for sent in (
        replica.bytes_input(),
        InferInput("image", [2], "BYTES", data=replica.files),
        replica.pixels_input(binary=True),
        replica.pixels_input(binary=False),
    ):
        answer = await client.infer(InferRequest("plants", [sent], model_version="fast-3", request_id="9"))
        check(answer, labels, "9")
        assert answer.model_version == "fast-3"
    wanted = [RequestedOutput("classes"), RequestedOutput("label")]
    for sent in (replica.bytes_input(), InferInput("image", [2], "BYTES", data=replica.files)):
        classes, label = (await client.infer(InferRequest("plants", [sent], request_outputs=wanted))).outputs
        assert texts_of(classes) == ["dandelion", "grass"]
        assert texts_of(label) == labels

    nothing = InferInput("image", [1], "BYTES", data=[b"hello"])
    for asked, words in (
        (InferRequest("plants", [nothing], model_version="fast-2"), ("StatusCode.NOT_FOUND", "'fast-3' does")),
        (InferRequest("plants", [nothing]), ("StatusCode.INVALID_ARGUMENT", "This is not an image")),
        (InferRequest("plants", []), ("StatusCode.INVALID_ARGUMENT", "The inputs are none")),
    ):
        with refused(grpc.RpcError, *words):
            await client.infer(asked)


async def ask_without_a_model(replica: Replica) -> None:
    """Ask a replica that has no model yet, with both clients."""
    asked = InferRequest("plants", [replica.bytes_input()])
    assert await replica.rest.is_server_live(replica.url)
    with refused(httpx.HTTPStatusError, "503 Service Unavailable", "The replica is not ready"):
        await replica.rest.is_server_ready(replica.url)
    assert not await replica.rest.is_model_ready(replica.url, "plants")
    with refused(httpx.HTTPStatusError, "503 Service Unavailable", "No model"):
        await replica.rest.infer(replica.url, asked, model_name="plants")

    assert await replica.calls.is_server_live()
    assert not await replica.calls.is_server_ready()
    assert not await replica.calls.is_model_ready("plants")
    with refused(grpc.RpcError, "StatusCode.UNAVAILABLE", "No model"):
        await replica.calls.infer(asked)


async def ask_with_a_key(replica: Replica) -> None:
    """Ask a replica that wants a key, with both clients; give 8 images that are answered."""
    assert await replica.rest.is_server_ready(replica.url)
    assert await replica.calls.is_server_ready()
    for key in ({"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}):
        name, asked = next(iter(key)), InferRequest("plants", [replica.bytes_input()])
        wrong = {name: "Bearer wrong"}
        assert await replica.rest.is_model_ready(replica.url, "plants", headers=key)
        assert not await replica.rest.is_model_ready(replica.url, "plants", headers=wrong)
        assert (await replica.rest.infer(replica.url, asked, "plants", headers=dict(key))).model_name == "plants"
        with refused(httpx.HTTPStatusError, "401 Unauthorized") as raised:
            await replica.rest.infer(replica.url, asked, "plants", headers=wrong)
        assert "not known here" in raised[0].response.json()["detail"]

        assert await replica.calls.is_model_ready("plants", headers=tuple(key.items()))
        assert (await replica.calls.infer(asked, headers=tuple(key.items()))).model_name == "plants"
        with refused(grpc.RpcError, "StatusCode.UNAUTHENTICATED", "not known here"):
            await replica.calls.infer(asked, headers=tuple(wrong.items()))


def check(answer: Any, labels: list[str], request_id: str) -> None:
    """Check an answer with the outputs that come without being asked for. The SDK has its version over gRPC alone."""
    found = {output.name: output for output in answer.outputs}
    assert (answer.id, answer.model_name) == (request_id, "plants")
    assert texts_of(found["label"]) == labels
    assert texts_of(found["model_version"]) == ["fast-3", "fast-3"]
    assert len(set(texts_of(found["prediction_id"]))) == 2
    probabilities = found["probabilities"].as_numpy()
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (2, 2))
    assert np.allclose(probabilities.sum(axis=1), 1)


def texts_of(output: Any) -> list[str]:
    """Return the elements of a BYTES output, which the SDK leaves as texts or as bytes."""
    return [each.decode() if isinstance(each, bytes) else each for each in output.as_numpy().tolist()]


@contextmanager
def refused(kind: type[Exception], *words: str) -> Iterator[list[Any]]:
    """Check that an exception of the SDK comes, and that it says all the words; it is in the list afterwards."""
    raised: list[Any] = []
    try:
        yield raised
    except kind as error:
        raised.append(error)
    assert raised, f"Nothing was raised that says {words}."
    assert all(word in str(raised[0]) for word in words), f"{words} in {raised[0]}"


QUESTIONS = {
    "http": ask_over_http,
    "grpc": ask_over_grpc,
    "no-model": ask_without_a_model,
    "key": ask_with_a_key,
}


async def main(questions: str, http_port: str, grpc_port: str, files: list[bytes]) -> None:
    """Ask the questions of a replica on these ports about these files."""
    async with (
        InferenceRESTClient(RESTConfig(protocol="v2")) as rest,
        InferenceGRPCClient(f"127.0.0.1:{grpc_port}") as calls,
    ):
        await QUESTIONS[questions](Replica(f"http://127.0.0.1:{http_port}", rest, calls, files))


if __name__ == "__main__":
    name, http, calls, *pictures = sys.argv[1:]
    asyncio.run(main(name, http, calls, [Path(picture).read_bytes() for picture in pictures]))
