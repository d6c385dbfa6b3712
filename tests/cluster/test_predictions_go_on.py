"""Predictions go on while pods are replaced: on the overlay `local`, installed and with a model (docs/kubernetes.md).

Each prediction has a connection of its own, and no attempt is repeated: what is refused, cut off or answered with
anything but 200 counts as failed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO

import aiohttp
import pytest
from PIL import Image

from shared.testing import eventually
from tests.cluster.conftest import Kubectl

PER_SECOND = 50.0
NODE_PORT = 30800
ANSWER_SECONDS = 30.0
READY_SECONDS = 240.0
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@dataclass(slots=True)
class Predictions:
    """What became of the predictions asked for."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


class Installation:
    """The overlay `local` in the cluster."""

    def __init__(self, kubectl: Kubectl, url: str) -> None:
        self._kubectl = partial(kubectl, "--namespace", "pappus")
        self.url = url

    async def run(self, *arguments: str) -> str:
        """Run kubectl in the namespace, beside the predictions."""
        return await asyncio.to_thread(self._kubectl, *arguments)

    async def until_ready(self, pod: str) -> None:
        """Wait until this pod, which was deleted perhaps, is there again and ready."""
        for state in ("create", "condition=ready"):
            await self.run("wait", f"--for={state}", f"--timeout={READY_SECONDS:.0f}s", pod)

    async def until_all_are_ready(self) -> None:
        """Wait until every pod that serves is ready."""

        async def all_are_ready() -> bool:
            columns = [line.split() for line in (await self.run("get", "pods", "--no-headers")).splitlines()]
            return all(state == "Completed" or len(set(ready.split("/"))) == 1 for _, ready, state, *_ in columns)

        await eventually(all_are_ready, timeout_seconds=READY_SECONDS)


@pytest.fixture
def installation(kubectl: Kubectl) -> Installation:
    """The installation; skips where there is none with a model."""
    wanted = "jsonpath={.items[?(@.metadata.name=='predictor')].status.readyReplicas}"
    ready = kubectl("--namespace", "pappus", "get", "statefulsets", "--output", wanted)
    if int(ready or 0) < 2:
        pytest.skip("Two replicas of the predictor have to be ready: install overlays/local and run the demo first.")
    address = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    return Installation(kubectl, f"http://{kubectl('get', 'nodes', '--output', address)}:{NODE_PORT}/predict")


def drawn_picture() -> bytes:
    """Return a small picture as JPEG."""
    file = BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(file, "JPEG")
    return file.getvalue()


@asynccontextmanager
async def predictions(url: str) -> AsyncIterator[Predictions]:
    """Ask for PER_SECOND predictions a second while the context is open, and wait for the last answers after it."""
    seen, picture, clock = Predictions(), drawn_picture(), asyncio.get_running_loop().time
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)

    async def ask(session: aiohttp.ClientSession) -> None:
        form = aiohttp.FormData()
        form.add_field("file", picture, filename="drawn.jpg")
        try:
            async with session.post(url, data=form) as response:
                body = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            seen.failed.append(repr(error))
            return
        if response.status == 200:
            seen.answered += 1
        else:
            seen.failed.append(f"{response.status} {body[:200]}")

    async def keep_asking(session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        begun, asked = clock(), 0
        while True:
            group.create_task(ask(session))
            asked += 1
            await asyncio.sleep(max(0.0, begun + asked / PER_SECOND - clock()))

    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        asking = asyncio.ensure_future(keep_asking(session, group))
        try:
            yield seen
        finally:
            asking.cancel()


class TestPredictionsGoOn:
    async def test_while_the_predictor_is_updated(self, installation: Installation) -> None:
        async with predictions(installation.url) as seen:
            await installation.run("rollout", "restart", "statefulset/predictor")
            await installation.run("rollout", "status", "statefulset/predictor", f"--timeout={READY_SECONDS:.0f}s")
        assert seen.failed == []
        assert seen.answered > PER_SECOND

    async def test_while_its_replicas_are_deleted_one_by_one(self, installation: Installation) -> None:
        async with predictions(installation.url) as seen:
            for replica in ("predictor-0", "predictor-1"):
                await installation.run("delete", "pod", replica)
                await installation.until_ready(f"pod/{replica}")
        assert seen.failed == []
        assert seen.answered > PER_SECOND

    @pytest.mark.parametrize("server", ["kafka", "postgres", "s3"])
    async def test_while_a_server_is_lost_and_comes_back(self, installation: Installation, server: str) -> None:
        async with predictions(installation.url) as seen:
            await installation.run("delete", "pod", f"{server}-0")
            await installation.until_ready(f"pod/{server}-0")
            await installation.until_all_are_ready()
        assert seen.failed == []
        assert seen.answered > PER_SECOND


async def test_a_replica_starts_without_kafka_and_object_store(installation: Installation) -> None:
    await installation.run("scale", "statefulset", "kafka", "s3", "--replicas=0")
    try:
        await installation.run("wait", "--for=delete", "pod/kafka-0", "pod/s3-0", "--timeout=120s")
        await installation.run("delete", "pod", "predictor-0")
        await installation.until_ready("pod/predictor-0")
        async with predictions(installation.url) as seen:
            await eventually(lambda: seen.answered > PER_SECOND, timeout_seconds=60.0)
        assert seen.failed == []
    finally:
        await installation.run("scale", "statefulset", "kafka", "s3", "--replicas=1")
        await installation.until_all_are_ready()
