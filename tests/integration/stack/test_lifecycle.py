"""A whole life of a stack with real servers: up, up again, killed in every way, down, reset."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory

import asyncpg
import psutil
import pytest

from pappus.stack import LocalServers, Stack, StackError
from pappus.stack.identity import marked
from pappus.stack.ports import DEFAULT_PORTS, HOST, free_ports
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus

SERVERS = ("kafka", "postgres", "s3")
SECONDS = 60.0

pytestmark = pytest.mark.timeout(900)  # on a fresh machine the first of them fetches Kafka and builds the S3 server


@pytest.fixture
def stack() -> Iterator[Stack]:
    with TemporaryDirectory(prefix="pappus-tests-") as folder:
        Path(folder).chmod(0o711)
        one = Stack(Path(folder) / "state")
        yield one
        one.reset()
        assert not one.state.root.exists()
        assert left_of(one) == []


def up(stack: Stack, *only: str) -> StackStatus:
    ports = {} if stack.state.config.exists() else free_ports(DEFAULT_PORTS)
    return stack.up(only, ports=ports, parent=os.getpid())


def pids(status: StackStatus) -> dict[str, int]:
    return {component.name: component.process.pid for component in status.components if component.process}


def left_of(stack: Stack) -> list[int]:
    """Return every process that this stack started and that still runs, PostgreSQL's own included."""
    below = [p.pid for p in psutil.process_iter() if str(stack.state.root) in " ".join(_command(p))]
    return sorted({*marked(str(stack.state.root)), *below})


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until(stack: Stack, name: str, question: Callable[[ComponentStatus], bool]) -> ComponentStatus:
    limit = time.monotonic() + SECONDS
    while not question(component := stack.status().component(name)):
        assert time.monotonic() < limit, component
        time.sleep(0.05)
    return component


def until_nothing_is_left(stack: Stack) -> None:
    limit = time.monotonic() + SECONDS
    while left := left_of(stack):
        assert time.monotonic() < limit, left
        time.sleep(0.05)


async def execute(stack: Stack, statement: str) -> object:
    servers = LocalServers(stack, stack.status(), stack.credentials())
    connection = await asyncpg.connect(servers.database_url("trainer"))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def test_up_again_changes_nothing(stack: Stack) -> None:
    first = up(stack, *SERVERS)
    assert first.ready
    assert pids(up(stack, *SERVERS)) == pids(first)


def test_up_adds_what_is_missing_and_leaves_the_rest_running(stack: Stack) -> None:
    first = up(stack, "s3")
    assert set(pids(first)) == {"s3"}
    second = up(stack, "postgres")
    assert set(pids(second)) == {"s3", "postgres"}
    assert pids(second)["s3"] == pids(first)["s3"]


async def test_down_leaves_no_process_and_the_next_up_finds_the_data(stack: Stack) -> None:
    up(stack, *SERVERS)
    await execute(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
    stack.down()
    assert left_of(stack) == []
    assert not stack.status().running
    up(stack, *SERVERS)
    assert await execute(stack, "SELECT answer FROM kept") == 42


async def test_after_the_supervisor_was_killed_up_sweeps_and_starts(stack: Stack) -> None:
    before = up(stack, *SERVERS)
    await execute(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert before.supervisor is not None
    os.kill(before.supervisor.pid, SIGKILL)
    until(stack, "kafka", lambda component: component.state is ComponentState.ORPHANED)
    after = up(stack, *SERVERS)
    assert after.ready
    assert not set(pids(before).values()) & set(left_of(stack))
    assert await execute(stack, "SELECT answer FROM kept") == 42


def test_down_ends_what_a_killed_supervisor_left(stack: Stack) -> None:
    before = up(stack, "postgres", "s3")
    assert before.supervisor is not None
    os.kill(before.supervisor.pid, SIGKILL)
    reported: list[str] = []
    stack.down(reported.append)
    assert left_of(stack) == []
    assert len(reported) == 2


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_comes_back_by_itself(stack: Stack, name: str) -> None:
    pid = pids(up(stack, name))[name]
    os.kill(pid, SIGKILL)
    component = until(stack, name, lambda component: component.restarts > 0 and component.state is ComponentState.READY)
    assert component.process is not None
    assert component.process.pid != pid


def test_a_taken_port_is_named_before_anything_starts(stack: Stack) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        ports = free_ports(DEFAULT_PORTS) | {"s3": taken.getsockname()[1]}
        with pytest.raises(StackError, match=rf"Port {ports['s3']} \(s3\) is taken by process {os.getpid()}"):
            stack.up(["s3"], ports=ports, parent=os.getpid())
        assert pids(stack.status()) == {}
        until_nothing_is_left(stack)  # the supervisor itself, which has nothing to do


def test_a_refused_addition_leaves_running_servers_alone(stack: Stack) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        ports = free_ports(DEFAULT_PORTS) | {"postgres": taken.getsockname()[1]}
        first = stack.up(["s3"], ports=ports, parent=os.getpid())
        with pytest.raises(StackError, match="is taken by"):
            stack.up(["postgres"])
    assert pids(stack.status()) == pids(first)
    assert set(pids(stack.up(["postgres"]))) == {"s3", "postgres"}


def test_an_unknown_component_is_answered_with_the_known_ones(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"no component kafak.*kafka"):
        up(stack, "kafak")


def test_the_stack_ends_with_the_process_it_is_tied_to(stack: Stack) -> None:
    parent = psutil.Popen(["sleep", "600"])
    stack.up(["s3"], ports=free_ports(DEFAULT_PORTS), parent=parent.pid)
    parent.kill()
    parent.wait()
    until_nothing_is_left(stack)
