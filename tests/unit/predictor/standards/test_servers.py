"""What a replica listens on."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest
import uvloop

from services.predictor.api.keys import ApiKeys
from services.predictor.api.servers import servers
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.remote_calls.calls import SERVICE
from services.predictor.settings import PredictorSettings
from shared.http.server import PortTaken, listening

from .conftest import Replica
from .grpc_asking import images, outputs_of
from .test_open_inference import RED


def settings_of(grpc_port: int) -> PredictorSettings:
    return PredictorSettings(port=0, health_port=0, grpc_port=grpc_port)


async def end(parts: dict[str, Any]) -> None:
    """End parts of a process that run as tasks."""
    for part in parts.values():
        part.cancel()
    await asyncio.gather(*parts.values(), return_exceptions=True)


async def answers_of(replicas: int, calls: int) -> int:
    """Let replicas share a port for gRPC, and return how many of the calls, each on a connection of its own, are
    answered."""
    answered, running = 0, []
    with listening("127.0.0.1", 0, shared=True) as reserved:
        port = reserved.getsockname()[1]
        for _ in range(replicas):
            replica = Replica()
            replica.serve(3)
            context = servers(settings_of(port), replica.predictions, replica.health, ApiKeys())
            parts = {name: asyncio.ensure_future(each) for name, each in context.__enter__().items()}
            running.append((context, parts))
        for number in range(calls):
            options = (("grpc.use_local_subchannel_pool", 1), ("pappus.test", number))
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                call: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer")
                sent = images(RED, raw=True).SerializeToString()
                found = pb.ModelInferResponse.FromString(await call(sent, wait_for_ready=True, timeout=20))
                answered += outputs_of(found)["label"] == [b"dandelion"]
        for context, parts in running:
            await end(parts)
            context.__exit__(None, None, None)
    return answered


def test_replicas_share_a_port_for_grpc_on_the_loop_that_they_run_on() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(answers_of(replicas=2, calls=8)) == 8


async def test_a_port_for_grpc_that_is_taken_fails_the_start(replica: Replica) -> None:
    with listening("127.0.0.1", 0, shared=False) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTaken, match=f"Cannot listen on 127.0.0.1:{port} .* Free the port"),
            servers(settings_of(port), replica.predictions, replica.health, ApiKeys()),
        ):
            raise AssertionError("It started.")


async def test_without_a_port_there_is_no_grpc(replica: Replica) -> None:
    with servers(settings_of(0), replica.predictions, replica.health, ApiKeys()) as parts:
        assert list(parts) == ["http"]
        http = asyncio.ensure_future(parts["http"])
        await asyncio.sleep(0)
        http.cancel()
        with suppress(asyncio.CancelledError):
            await http
