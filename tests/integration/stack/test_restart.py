"""One service of a running stack: restarted, stopped and run by hand, restarted by an edit."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pappus.actions.watching import restart_on_edits
from pappus.stack import Stack
from pappus.stack.folders import PROJECT
from pappus.stack.ports import DEFAULT_PORTS, free_ports
from pappus.stack.probes import http_ok
from pappus.stack.services import exported_environment
from pappus.stack.status import ComponentState, StackStatus
from pappus.stack.watch import edits

SECONDS = 60.0
SERVICE = "predictor-worker"
pytestmark = pytest.mark.timeout(900)  # the first time on a machine the S3 server is built


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with two services."""
    with TemporaryDirectory(prefix="pappus-tests-") as folder:
        Path(folder).chmod(0o711)
        stack = Stack(Path(folder) / "state")
        try:
            stack.up([SERVICE, "ingestor"], ports=free_ports(DEFAULT_PORTS), parent=os.getpid())
            yield stack
        finally:
            stack.reset()


def pids(status: StackStatus) -> dict[str, int]:
    return {component.name: component.process.pid for component in status.components if component.process}


def wait_until(question: Callable[[], bool]) -> None:
    limit = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < limit
        time.sleep(0.05)


def touch_until(file: Path, question: Callable[[], bool]) -> None:
    """Touch the file now and then: the first time may come before the watching has begun."""
    limit = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < limit
        file.touch()
        time.sleep(0.5)


@contextmanager
def run_by_hand(stack: Stack, name: str, module: str) -> Iterator[None]:
    """Run a service as a debugger does: with the exported environment, outside of the stack."""
    environment = dict(os.environ) | exported_environment(name, stack.running_context())
    process = subprocess.Popen([sys.executable, "-m", module], env=environment, cwd=PROJECT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in before if before[name] != after.get(name)}


def test_restart_gives_one_service_a_new_process(stack: Stack) -> None:
    before = pids(stack.status())
    after = stack.restart([SERVICE])
    assert after.component(SERVICE).state is ComponentState.READY
    assert after.component(SERVICE).restarts == 0
    assert changed(before, pids(after)) == {SERVICE}
    stack.up([SERVICE])
    assert pids(stack.status()) == pids(after)  # a restart that is done is not repeated


def test_a_server_restarts_and_its_services_go_on(stack: Stack) -> None:
    before = pids(stack.status())
    after = stack.restart(["s3"])
    assert after.component("s3").state is ComponentState.READY
    assert changed(before, pids(after)) == {"s3"}


def test_a_stopped_service_runs_by_hand_and_goes_back(stack: Stack) -> None:
    others = {name: pid for name, pid in pids(stack.status()).items() if name != SERVICE}
    assert stack.stop([SERVICE]) == [SERVICE]
    assert pids(stack.status()) == others
    assert stack.status().ready
    url = f"{stack.status().component(SERVICE).address}/livez"
    assert not asyncio.run(http_ok(url))
    with run_by_hand(stack, SERVICE, "services.predictor.worker"):
        wait_until(lambda: asyncio.run(http_ok(url)))
    assert stack.up(["ingestor"]).component(SERVICE).state is ComponentState.STOPPED
    after = stack.up([SERVICE])
    assert after.component(SERVICE).state is ComponentState.READY
    assert pids(after).items() >= others.items()


def test_an_edited_service_restarts_by_itself(stack: Stack, tmp_path: Path) -> None:
    before = pids(stack.status())
    for folder in ("services/predictor", "shared"):
        shutil.copytree(PROJECT / folder, tmp_path / folder)
    edited = tmp_path / "services" / "predictor" / "worker" / "__main__.py"
    stop = threading.Event()
    watching = threading.Thread(target=lambda: restart_on_edits(stack, edits(tmp_path, stop)))
    watching.start()
    try:
        touch_until(edited, lambda: changed(before, pids(stack.status())) == {SERVICE})
    finally:
        stop.set()
        watching.join(SECONDS)
    assert not watching.is_alive()
    assert changed(before, pids(stack.status())) == {SERVICE}
    assert stack.status().component(SERVICE).state is ComponentState.READY
