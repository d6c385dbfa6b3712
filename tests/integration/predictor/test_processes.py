"""Real processes on real sockets, with Kafka and the object store away: the replicas serve their last good model."""

import asyncio
import hashlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from pappus.stack.ports import free_ports
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.tensors import pack_bytes
from services.predictor.model.artefact_folder import ArtefactFolder
from shared.http.server import listening
from shared.testing import eventually
from tests.integration.predictor.running import PredictorProcess
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import picture, small_artefact

pytestmark = pytest.mark.timeout(180)
ARTEFACT = small_artefact(bias=(1.0, 0.0))
CALL = "/inference.GRPCInferenceService/ModelInfer"
Start = Callable[[str], PredictorProcess]


@pytest.fixture
def ports() -> dict[str, int]:
    return free_ports(("shared", "first", "second", "unused"))


@pytest.fixture
def start(tmp_path: Path, ports: dict[str, int]) -> Iterator[Start]:
    """Starts the replica of this name."""
    processes = []

    def started(name: str) -> PredictorProcess:
        settings = {
            "kafka_bootstrap": f"127.0.0.1:{ports['unused']}",
            "s3_endpoint": f"http://127.0.0.1:{ports['unused']}",
            "s3_access_key": "key",
            "s3_secret_key": "secret",
            "port": str(ports["shared"]),
            "health_port": str(ports[name]),
            "replica": name,
            "state_folder": str(tmp_path / name),
            "kafka_wait_seconds": "0.2",
        }
        process = PredictorProcess("api", settings, tmp_path / f"{name}.log")
        processes.append(process)
        process.start()
        return process

    yield started
    for process in processes:
        process.kill()


def keep_artefact(folder: Path) -> None:
    ArtefactFolder(folder / "artefacts").keep(promotion(1, ARTEFACT), ARTEFACT)


async def test_two_replicas_share_a_port_and_each_has_its_own(
    tmp_path: Path, ports: dict[str, int], start: Start
) -> None:
    for name in ("first", "second"):
        keep_artefact(tmp_path / name)
    first, second = start("first"), start("second")
    await first.until("/readyz")
    await second.until("/readyz")
    answered = set()
    for _ in range(60):  # a connection each: the kernel spreads them
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{ports['shared']}") as client:
            body = (await client.post("/predict", files={"file": picture()})).json()
            assert body["model_version"] == "fast-1"
            answered.add(body["replica"])
    assert answered == {"first", "second"}
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{second.url}/model")).json()["replica"] == "second"


async def test_without_any_model_a_replica_lives_and_refuses(start: Start) -> None:
    replica = start("first")
    await replica.until("/livez")
    async with httpx2.AsyncClient(base_url=replica.url) as client:
        refused = await client.post("/predict", files={"file": picture()})
    assert (refused.status_code, refused.json()["error"]) == (503, "no_model")
    assert not await replica.answers("/readyz")


async def test_a_replica_that_is_asked_to_end_answers_what_it_has_begun(tmp_path: Path, start: Start) -> None:
    keep_artefact(tmp_path / "first")
    replica = start("first")
    await replica.until("/readyz")
    request = httpx2.Request("POST", replica.url, files={"file": picture()})
    whole = request.read()

    async def in_two_halves() -> AsyncIterator[bytes]:
        yield whole[:50]
        replica.send(signal.SIGTERM)
        yield whole[50:]

    headers = {"content-type": request.headers["content-type"]}
    async with httpx2.AsyncClient(base_url=replica.url) as client:
        response = await client.post("/predict", content=in_two_halves(), headers=headers)
    assert response.status_code == 200
    assert await replica.ended() == 0


async def test_a_replica_asks_for_the_keys_of_its_file_and_follows_it(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api-keys.json"
    monkeypatch.setenv("PAPPUS_API_KEYS_FILE", str(path))
    refused = start("second")
    assert await refused.ended() == 1
    assert "api-keys.json is no list of API keys" in refused.output
    path.write_text(json.dumps([{"name": "shop", "sha256": hashlib.sha256(b"a long word").hexdigest()}]))
    keep_artefact(tmp_path / "first")
    replica = start("first")
    await replica.until("/readyz")

    async def status(key: str) -> int:
        async with httpx2.AsyncClient(base_url=replica.url, headers={"X-Api-Key": key}) as client:
            return (await client.post("/predict", files={"file": picture()})).status_code

    async def is_out() -> bool:
        return await status("a long word") == 401

    assert [await status("a long word"), await status("another word")] == [200, 401]
    await eventually(lambda: '"api_key": "shop"' in replica.output)
    assert "a long word" not in replica.output
    path.write_text("[]")
    await eventually(is_out, 20)


async def test_a_taken_port_is_named(ports: dict[str, int], start: Start) -> None:
    winner = start("first")
    await winner.until("/livez")
    ports["second"] = ports["first"]
    loser = start("second")
    assert await loser.ended() == 1
    assert f"Cannot listen on 127.0.0.1:{ports['first']}" in loser.output


def asking_over_grpc(port: int, number: int) -> grpc.aio.Channel:
    """Return a channel with a connection of its own."""
    options = (("grpc.use_local_subchannel_pool", 1), ("pappus.test", number))
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options)


def request_of_grpc() -> bytes:
    asked = pb.ModelInferRequest(model_name="plants", raw_input_contents=[pack_bytes([picture()])])
    asked.inputs.add(name="image", datatype="BYTES", shape=[1])
    return bytes(asked.SerializeToString())


def has_answered(replica: PredictorProcess) -> bool:
    return '"event": "answered"' in replica.output


async def test_replicas_share_a_port_for_grpc_and_end_in_order(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_ports(["grpc"])["grpc"]
    monkeypatch.setenv("PAPPUS_GRPC_PORT", str(port))
    replicas = []
    for name in ("first", "second"):
        keep_artefact(tmp_path / name)
        replicas.append(start(name))
    for replica in replicas:
        await replica.until("/readyz")
    for number in range(40):  # a connection each: the kernel spreads them
        async with asking_over_grpc(port, number) as channel:
            ask: Any = channel.unary_unary(CALL)
            answer = pb.ModelInferResponse.FromString(await ask(request_of_grpc(), timeout=20))
            assert answer.model_version == "fast-1"
    for replica in replicas:
        await eventually(partial(has_answered, replica))
    async with asking_over_grpc(port, -1) as channel:
        begin: Any = channel.stream_unary(CALL)
        half_sent = begin(timeout=20)
        await half_sent.wait_for_connection()
        await asyncio.sleep(0.2)  # until its head is there
        for replica in replicas:
            replica.send(signal.SIGTERM)
        await asyncio.sleep(0.5)
        await half_sent.write(request_of_grpc())
        await half_sent.done_writing()
        assert pb.ModelInferResponse.FromString(await half_sent).model_version == "fast-1"
    assert [await replica.ended() for replica in replicas] == [0, 0]


async def test_a_taken_port_for_grpc_is_named(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("127.0.0.1", 0, shared=False) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("PAPPUS_GRPC_PORT", str(port))
        loser = start("first")
        assert await loser.ended() == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in loser.output
