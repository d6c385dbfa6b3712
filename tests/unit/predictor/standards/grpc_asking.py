"""A gRPC server for a replica, a channel to it, and requests."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from services.predictor.api.keys import ApiKeys
from services.predictor.api.standards.batches import Batches
from services.predictor.api.standards.inference import Inference
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.remote_calls.calls import SERVICE, Calls
from services.predictor.api.standards.remote_calls.server import longest_message, serve_grpc
from services.predictor.api.standards.tensors import pack_bytes, unpack_bytes
from shared.http.limits import BodyBudget
from shared.http.server import listening

from .conftest import LIMIT_BYTES, Replica

ANSWERS: Mapping[str, Any] = {
    "ServerLive": pb.ServerLiveResponse,
    "ServerReady": pb.ServerReadyResponse,
    "ServerMetadata": pb.ServerMetadataResponse,
    "ModelReady": pb.ModelReadyResponse,
    "ModelMetadata": pb.ModelMetadataResponse,
    "ModelInfer": pb.ModelInferResponse,
}


class Asker:
    """A channel to a replica, and the task that serves it."""

    def __init__(self, channel: grpc.aio.Channel, port: int, serving: asyncio.Task[None]) -> None:
        self.channel = channel
        self.port = port
        self.serving = serving

    async def ask(self, call: str, message: Any = b"", **more: Any) -> Any:
        """Return the answer. `message`: also bytes as they are."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        return ANSWERS[call].FromString(await self.begin(call, data, **more))

    def begin(self, call: str, data: bytes, **more: Any) -> Any:
        """Return a call that was sent."""
        asked: Any = self.channel.unary_unary(f"/{SERVICE}/{call}")
        return asked(data, **more)

    async def refused(self, code: grpc.StatusCode, call: str, message: Any = b"", **more: Any) -> str:
        """Ask for what is refused; return the sentence."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(call, message, **more)
        assert caught.value.code() == code, caught.value.details()
        return caught.value.details() or ""


@asynccontextmanager
async def asking(
    replica: Replica, keys: ApiKeys | None = None, bodies: BodyBudget | None = None
) -> AsyncIterator[Asker]:
    """Serve a replica over gRPC while the context is open."""
    longest = longest_message(LIMIT_BYTES)
    inference = Inference(Batches(replica.predictions, LIMIT_BYTES), replica.health)
    calls = Calls(inference, keys or ApiKeys(), bodies or BodyBudget(), longest)
    with listening("127.0.0.1", 0, shared=True) as bound:
        port = bound.getsockname()[1]
        serving = asyncio.create_task(serve_grpc(calls, "127.0.0.1", port, longest))
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await asyncio.wait_for(channel.channel_ready(), 10)
                yield Asker(channel, port, serving)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def images(*files: bytes, raw: bool = False, outputs: Sequence[str] = (), **more: Any) -> pb.ModelInferRequest:
    """Return a request about files."""
    asked = pb.ModelInferRequest(model_name="plants", **more)
    tensor = asked.inputs.add(name="image", datatype="BYTES", shape=[len(files)])
    if raw:
        asked.raw_input_contents.append(pack_bytes(files))
    else:
        tensor.contents.bytes_contents.extend(files)
    for name in outputs:
        asked.outputs.add(name=name)
    return asked


def outputs_of(answer: pb.ModelInferResponse) -> dict[str, list[Any]]:
    """Return the elements of each output, by name."""
    found: dict[str, list[Any]] = {}
    for number, each in enumerate(answer.outputs):
        if answer.raw_output_contents:
            data = answer.raw_output_contents[number]
            is_text = each.datatype == "BYTES"
            found[each.name] = unpack_bytes(data, 64) if is_text else np.frombuffer(data, "<f4").tolist()
        else:
            contents = each.contents
            found[each.name] = list(contents.bytes_contents or contents.fp32_contents)
    return found
