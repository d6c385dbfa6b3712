"""Each alert is fired once by a real fault, and is gone when the fault is. Minutes long, so only on demand:
`make chaos`."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO

import httpx2
import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from PIL import Image as PillowImage

from infra.observability.alerts import ALERTS
from pappus.demo.drawing import draw, draw_tiles
from pappus.stack import LocalServers, Servers, Stack
from pappus.stack.ports import DEFAULT_PORTS, free_ports
from pappus.stack_client import RunningStack
from shared.clients.labeler import ask_gate, correct_label, get_champion, get_image, upload_image
from shared.clients.predictor import predict
from shared.contract.events import ImageRegistered, uuid_of
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.testing import eventually

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="This machine has no Prometheus: pappus doctor"),
]

FIRING_SECONDS = 260.0
GONE_SECONDS = 500.0
"""The longest look back of an alert is five minutes."""
OTHER_PICTURES, USUAL_PICTURES = 60, 50
BURST, PIXELS = 200, (5000, 5000)
"""More requests at once than both replicas take, each with a picture that takes long to decode."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with its observers, after the demo."""
    running = Stack(tmp_path_factory.mktemp("alerts"))
    running.up(ports=free_ports(DEFAULT_PORTS), observe=True, parent=os.getpid())
    try:
        yield running
    finally:
        running.reset()


@pytest.fixture(scope="module")
def servers(stack: Stack) -> Servers:
    return LocalServers(stack, stack.status(), stack.credentials())


async def firing(stack: Stack) -> set[str]:
    """Return the names of the alerts that fire now."""
    async with httpx2.AsyncClient(base_url=stack.status().addresses["prometheus"]) as prometheus:
        found = (await prometheus.get("/api/v1/alerts")).json()["data"]["alerts"]
    return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}


async def until_fires(stack: Stack, *names: str) -> None:
    async def all_fire() -> bool:
        return set(names) <= await firing(stack)

    await eventually(all_fire, FIRING_SECONDS)


@asynccontextmanager
async def store_of(servers: Servers) -> AsyncIterator[ObjectStore]:
    """Open the object store as its owner sees it."""
    root = servers.credentials.s3["root"]
    keys = {"s3_access_key": root.access_key, "s3_secret_key": root.secret_key}
    async with open_object_store(Settings.model_validate({**servers.settings("ingestor"), **keys})) as store:
        yield store


@contextmanager
def frozen(servers: Servers, name: str) -> Iterator[None]:
    """Stop all threads of a server as long as the context is open."""
    servers.pause(name)
    try:
        yield
    finally:
        servers.resume(name)


async def correct_something(running: RunningStack, seed: int) -> None:
    """Upload a picture that is like no other, and label it as what the model does not say."""
    data = draw_tiles(seed)
    async with running.labeler_as("labeler") as person, running.each_replica() as replicas:
        said = (await replicas[0].send(predict(data))).label
        image_id = (await person.send(upload_image(f"{seed}.png", data))).image_id

        async def stored() -> bool:
            return (await person.send(get_image(image_id))).state == "stored"

        await eventually(stored, 60)
        image = await person.send(get_image(image_id))
        wrong = "dandelion" if said == "grass" else "grass"
        await person.send(correct_label(image_id, wrong, image.revision, reason="an alert is tried"))


async def stop_a_process(stack: Stack) -> None:
    """PappusProcessDown."""
    stack.stop(["trainer-recorder"])
    await until_fires(stack, "PappusProcessDown")
    await asyncio.to_thread(stack.restart, ["trainer-recorder"])


async def send_rubbish(stack: Stack, servers: Servers) -> None:
    """PappusDeadLetters: a message that is no event."""
    async with AIOKafkaProducer(bootstrap_servers=servers.kafka.bootstrap) as producer:
        await producer.send_and_wait("image.registered", b"rubbish", key=b"rubbish")
    await until_fires(stack, "PappusDeadLetters")


async def freeze_promotions(stack: Stack, running: RunningStack) -> None:
    """PappusCorrectionNotServed: a correction that may not be promoted."""
    async with running.labeler_as("operator") as operator:
        await operator.send(ask_gate("freeze", "an alert is tried"))
        await correct_something(running, 9001)
        await until_fires(stack, "PappusCorrectionNotServed")
        await operator.send(ask_gate("unfreeze", "the alert was tried"))

        async def served() -> bool:
            return "PappusCorrectionNotServed" not in await firing(stack)

        await eventually(served, 60)


async def ask_too_much(stack: Stack, running: RunningStack) -> None:
    """PappusPredictionsRefused: more requests at once than are taken."""
    encoded = BytesIO()
    PillowImage.new("RGB", PIXELS, "green").save(encoded, "JPEG")
    data = encoded.getvalue()
    limits = httpx2.Limits(max_connections=BURST)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as http:
        headers = {"Authorization": f"Bearer {running.predictor_key}"}

        async def ask() -> int:
            answer = await http.post(f"{running.predictor}/predict", files={"file": ("a.jpg", data)}, headers=headers)
            return answer.status_code

        async def refused() -> bool:
            statuses = await asyncio.gather(*(ask() for _ in range(BURST)))
            return statuses.count(503) > BURST / 10 and "PappusPredictionsRefused" in await firing(stack)

        await eventually(refused, FIRING_SECONDS)


async def freeze_the_store(stack: Stack, servers: Servers) -> None:
    """PappusPartRed and PappusWorkStandsStill: an image whose bytes do not come."""
    key, image_id = "uploads/alert.png", uuid_of("an alert is tried")
    async with store_of(servers) as store:
        await store.put(key, draw("grass", 9002))
    async with open_event_log(servers.kafka) as event_log, event_log.publisher("pappus/labeler") as publisher:
        with frozen(servers, "s3"):
            event = ImageRegistered(
                event_id=uuid_of("an alert"),
                occurred_at=utc_now(),
                image_id=image_id,
                upload_key=key,
                registered_by="labeler",
            )
            await publisher.publish([event])
            await until_fires(stack, "PappusPartRed", "PappusWorkStandsStill")


async def lose_an_artefact(stack: Stack, servers: Servers, running: RunningStack) -> None:
    """PappusReplicasDisagree and PappusModelNotLoaded: a replica sleeps while a model is promoted, whose artefact is
    then lost."""
    process = stack.status().component("predictor-api-1").process
    assert process is not None
    async with running.labeler_as("operator") as operator, store_of(servers) as store:
        before = await operator.send(get_champion())
        assert before is not None
        os.kill(process.pid, signal.SIGSTOP)
        try:
            await correct_something(running, 9003)

            async def promoted() -> bool:
                now = await operator.send(get_champion())
                return now is not None and now.version != before.version

            await eventually(promoted, 20)  # the supervisor replaces a process that gives no sign of life for 30 s
            champion = await operator.send(get_champion())
            assert champion is not None
            (key,) = [key for key in await store.keys(f"models/{champion.version}/") if key.endswith(".onnx")]
            kept = await store.get(key)
            await store.put(key, b"lost")
        finally:
            os.kill(process.pid, signal.SIGCONT)
        await until_fires(stack, "PappusReplicasDisagree", "PappusModelNotLoaded")
        await store.put(key, kept)


async def freeze_kafka_under_load(stack: Stack, servers: Servers, running: RunningStack) -> None:
    """PappusPredictionsNotLogged: more answers than the queue holds while the log stands still."""
    data = draw("grass", 2)
    async with httpx2.AsyncClient(timeout=30) as http:
        headers = {"Authorization": f"Bearer {running.predictor_key}"}

        async def ask() -> None:
            while "PappusPredictionsNotLogged" not in fired:
                await http.post(f"{running.replicas[0]}/predict", files={"file": ("a.png", data)}, headers=headers)

        fired: set[str] = set()
        with frozen(servers, "kafka"):
            clients = [asyncio.create_task(ask()) for _ in range(8)]

            async def dropped() -> bool:
                fired.update(await firing(stack))
                return "PappusPredictionsNotLogged" in fired

            await eventually(dropped, FIRING_SECONDS)
            await asyncio.gather(*clients)


async def ask_about_other_things(stack: Stack, running: RunningStack) -> None:
    """PappusDrift: coloured tiles instead of plants; then plants again, until the drift is over."""
    async with running.each_replica() as replicas:
        for number in range(OTHER_PICTURES):
            await replicas[0].send(predict(draw_tiles(20_000 + number)))
        await until_fires(stack, "PappusDrift")
        number = 0

        async def over() -> bool:
            nonlocal number
            for _ in range(USUAL_PICTURES):
                await replicas[0].send(predict(draw(("dandelion", "grass")[number % 2], 30_000 + number)))
                number += 1
            return "PappusDrift" not in await firing(stack)

        await eventually(over, FIRING_SECONDS)


async def test_each_alert_is_fired_by_a_real_fault_and_is_gone_after_it(stack: Stack, servers: Servers) -> None:
    ended = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pappus.cli", "demo", "--state", str(stack.state.root)),
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ | {"HTTPS_PROXY": "http://127.0.0.1:1"},
    )
    assert await ended.wait() == 0
    running = RunningStack.find(stack.state)
    assert not await firing(stack)
    await stop_a_process(stack)
    await send_rubbish(stack, servers)
    await ask_about_other_things(stack, running)
    await freeze_promotions(stack, running)
    await lose_an_artefact(stack, servers, running)
    await ask_too_much(stack, running)
    await freeze_the_store(stack, servers)
    await freeze_kafka_under_load(stack, servers, running)

    async def all_gone() -> bool:
        return not await firing(stack)

    await eventually(all_gone, GONE_SECONDS)


def test_the_faults_are_those_of_all_alerts() -> None:
    faults = (
        stop_a_process,
        send_rubbish,
        ask_about_other_things,
        freeze_promotions,
        lose_an_artefact,
        ask_too_much,
        freeze_the_store,
        freeze_kafka_under_load,
    )
    said = " ".join(fault.__doc__ or "" for fault in faults)
    assert [alert.name for alert in ALERTS if alert.name not in said] == []
