"""A second copy of every service, started with defaults, while the demo runs; then each holder of a lock is stopped.
Nothing is done twice, no copy ends, and the other copy goes on. Minutes long, so only on demand: `make chaos`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pappus.demo.drawing import draw, write_set
from pappus.stack import LocalServers, Servers, Stack
from pappus.stack.ports import free_ports
from pappus.stack.services import SERVICES, Service, service_environment, with_project
from pappus.stack_client import RunningStack
from shared.clients.answers import ImageView
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiProblem
from shared.clients.labeler import correct_label, get_history, get_image, log_in, upload_image
from shared.contract.events import ImageStored, ModelPromoted
from shared.contract.race_rules import promotion_counts
from shared.messaging.codec import decode
from shared.messaging.kafka import open_event_log
from shared.tables.postgres import close, connector
from shared.testing import eventually, read_all

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

IMAGES_PER_LABEL = 60
LOCKS = ("ingestor", "labeler", "trainer", "trainer fast lane", "ingestor announcer", "trainer full_trigger")
"""Who writes the tables of three services, and what one process at a time does."""
BACK_SECONDS = 60


@dataclass(frozen=True)
class Copy:
    """A second process of a service; `port` is that of its API, if it has one."""

    process: subprocess.Popen[bytes]
    port: int


@pytest.fixture(scope="module")
def copies(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Copy]]:
    """A second process of every service, by name."""
    folder = tmp_path_factory.mktemp("copies")
    with ExitStack() as ending:
        yield {service.name: ending.enter_context(copy(service, stack, folder)) for service in SERVICES}


@contextmanager
def copy(service: Service, stack: Stack, folder: Path) -> Iterator[Copy]:
    """The process, with defaults but for its ports, its folder and its log."""
    environment = service_environment(service, stack.running_context())
    del environment["PAPPUS_REPLICA"]
    ports = free_ports(("PAPPUS_HEALTH_PORT", "PAPPUS_PORT"))
    environment |= {name: str(port) for name, port in ports.items()}
    environment["PAPPUS_STATE_FOLDER"] = str(folder / service.name)
    with (folder / f"{service.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", service.module], cwd=folder, env=with_project(environment), stdout=log, stderr=log
        )
    try:
        yield Copy(process, ports["PAPPUS_PORT"])
    finally:
        process.terminate()
        process.wait(30)


async def test_the_demo_ends_right_and_nothing_is_done_twice(
    stack: Stack, copies: dict[str, Copy], tmp_path: Path
) -> None:
    images, report = tmp_path / "images", tmp_path / "report.json"
    write_set(images, IMAGES_PER_LABEL, seed=7)
    restarts = {component.name: component.restarts for component in stack.status().components}
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pappus.cli", "demo", "--state", str(stack.state.root),
        "--images", str(images), "--report", str(report), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await demo.communicate()
    assert demo.returncode == 0, said.decode()[-3000:]
    figures = json.loads(report.read_text())["figures"]
    assert figures["new_rows"] == figures["stored"] == 2 * IMAGES_PER_LABEL
    assert figures["corrected_hold"] == figures["corrected"] > 0
    await assert_nothing_is_twice(stack)
    assert {name: each.process.poll() for name, each in copies.items()} == dict.fromkeys(copies)
    assert {component.name: component.restarts for component in stack.status().components} == restarts


@pytest.mark.parametrize("lock", LOCKS)
async def test_the_other_copy_goes_on_when_a_holder_is_stopped(
    stack: Stack, copies: dict[str, Copy], lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    running = RunningStack.find(stack.state)
    process = await eventually(lambda: holder_of(stack, lock), BACK_SECONDS)
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        data = draw("grass", LOCKS.index(lock) + 5000)
        async with labeling_api(running, copies, process.pid) as person:
            image_id = (await person.send(upload_image("two.png", data))).image_id

            async def stored() -> ImageView | None:
                try:
                    image = await person.send(get_image(image_id))
                except ApiProblem:  # accepted, and in no table until another process writes them
                    return None
                return image if image.state == "stored" else None

            image = await eventually(stored, BACK_SECONDS)
            assert image is not None
            await person.send(correct_label(image_id, "grass", image.revision, reason="two of each"))

            async def decided() -> bool:
                newest = (await person.send(get_history(image_id)))[-1]
                return newest.reason == "two of each" and bool(newest.live_in or newest.set_aside)

            await eventually(decided, BACK_SECONDS)
            seconds = time.monotonic() - stopped
            with capsys.disabled():
                sys.stdout.write(f"\n{lock} stopped: a new upload was stored and corrected {seconds:.1f} s later\n")
    finally:
        if psutil.pid_exists(process.pid):
            os.kill(process.pid, signal.SIGCONT)
    await eventually(lambda: stack.status().ready, BACK_SECONDS)
    await assert_nothing_is_twice(stack)


@asynccontextmanager
async def labeling_api(running: RunningStack, copies: dict[str, Copy], stopped: int) -> AsyncIterator[AsyncApi]:
    """The API of the copy of the labeler that is not stopped, with a login."""
    second = copies["labeler-api"]
    address = running.labeler if second.process.pid == stopped else f"http://127.0.0.1:{second.port}"
    async with AsyncApi(address) as person:
        person.authenticate((await person.send(log_in("labeler", running.logins["labeler"].password))).token)
        yield person


async def holder_of(stack: Stack, lock: str) -> psutil.Process | None:
    """The process that has the connection which holds the lock: a writer's if `lock` is a schema alone."""
    schema, _, name = lock.partition(" ")
    shown = f"pappus {schema} {name or 'writer'}"
    connection = await connector(servers_of(stack).database_url(schema), schema)()
    try:
        port = await connection.fetchval(
            "SELECT client_port FROM pg_stat_activity WHERE application_name = $1",
            shown,
        )
    finally:
        await close(connection)
    owners = [each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port and each.pid]
    return psutil.Process(owners[0]) if owners else None


async def assert_nothing_is_twice(stack: Stack) -> None:
    """No image is stored twice, no cause decided twice, and each sequence counts once."""
    async with open_event_log(servers_of(stack).kafka) as event_log:
        records = await read_all(event_log, [ImageStored.topic, ModelPromoted.topic])
    events = {event.event_id: event for record in records if (event := decode(record.topic, record.value))}
    stored = Counter(event.image_id for event in events.values() if isinstance(event, ImageStored))
    counting: list[ModelPromoted] = []
    for event in events.values():
        if isinstance(event, ModelPromoted) and promotion_counts(len(counting), event.sequence):
            counting.append(event)
    assert not [image for image, times in stored.items() if times > 1]
    assert len({event.cause for event in counting}) == len(counting)


def servers_of(stack: Stack) -> Servers:
    return LocalServers(stack, stack.status(), stack.credentials())
