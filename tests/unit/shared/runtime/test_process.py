"""How a process runs and ends."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.runtime.health import Health
from shared.runtime.process import describe, keep_running, run_parts
from shared.runtime.retry import RetryPolicy
from shared.testing import eventually

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, sys, threading
from shared.runtime.process import run
from shared.runtime.settings import Settings
from shared.runtime.telemetry import configure, logger

async def {body}

configure("test", Settings())
run(main)
"""
WAITS = """main():
    print("started", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)
"""
HANGS = """main():
    print("started", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.to_thread(threading.Event().wait)
"""
FAILS = """main():
    print("started", flush=True)
    raise KeyError("a bug")
"""
REFUSES = """main():
    print("started", flush=True)
    Settings.model_validate({"health_port": -1})
"""
LOSES = """main():
    print("started", flush=True)
    for error in (ConnectionRefusedError("not there"), KeyError("a bug")):
        lost = asyncio.get_running_loop().create_future()
        lost.set_exception(error)
        del lost
"""
RETURNS = """main():
    print("started", flush=True)
"""


@contextmanager
def process(body: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "started\n"
            yield child
        finally:
            child.kill()


def output(child: subprocess.Popen[str]) -> str:
    """Return what it prints from here to its end."""
    assert child.stdout is not None
    printed = child.stdout.read()
    child.wait()
    return printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_in_an_orderly_way_with_code_0(number: signal.Signals) -> None:
    with process(WAITS) as child:
        child.send_signal(number)
        assert "cleaned up" in output(child)
        assert child.returncode == 0


def test_a_process_that_hangs_in_its_shutdown_is_ended_all_the_same() -> None:
    with process(HANGS) as child:
        began = time.monotonic()
        child.terminate()
        output(child)
        assert child.returncode == 0
        assert time.monotonic() - began < 30


def test_a_failed_part_ends_the_process_with_code_1_and_logs_the_reason() -> None:
    with process(FAILS) as child:
        lines = [json.loads(line) for line in output(child).splitlines()]
        assert child.returncode == 1
    [line] = [line for line in lines if line["level"] == "error"]
    assert line["error"] == "KeyError: 'a bug'"
    assert "Traceback" in line["exception"]
    assert line["service"] == "test"


def test_a_setting_that_cannot_be_used_is_one_line_that_names_it() -> None:
    with process(REFUSES) as child:
        [line] = [json.loads(line) for line in output(child).splitlines()]
        assert child.returncode == 1
    assert "PAPPUS_HEALTH_PORT cannot be used" in line["error"]
    assert "exception" not in line


def test_a_process_whose_work_is_done_ends_with_code_0() -> None:
    with process(RETURNS) as child:
        output(child)
        assert child.returncode == 0


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_the_first_part_that_fails_ends_the_others_and_is_raised() -> None:
    health, ended = Health(), []

    async def other() -> None:
        try:
            await for_ever()
        finally:
            ended.append("other")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await run_parts(health, other=other(), failing=failing())
    assert ended == ["other"]
    assert not health.live
    assert health.report()["parts"]["failing"]["detail"] == "KeyError: 'a bug'"


async def test_parts_that_return_leave_the_others_running_until_all_have() -> None:
    done = []

    async def part(name: str, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        done.append(name)

    await run_parts(Health(), long=part("long", 5), short=part("short", 1))
    assert done == ["short", "long"]


async def test_cancelling_ends_all_parts() -> None:
    ended: list[int] = []

    async def part() -> None:
        try:
            await for_ever()
        finally:
            ended.append(1)

    task = asyncio.create_task(run_parts(Health(), one=part(), two=part()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1, 1]


async def test_a_part_beside_http_is_started_again_and_health_shows_the_failure() -> None:
    health, attempts, repaired = Health(), list[int](), asyncio.Event()

    async def part() -> None:
        attempts.append(1)
        if not repaired.is_set():
            raise KeyError("a bug")
        health.set("follower", True)
        await for_ever()

    quick = RetryPolicy(first_seconds=0.001, longest_seconds=0.001, attempts=None)
    task = asyncio.create_task(keep_running(health, "follower", part, quick))
    await eventually(lambda: len(attempts) >= 3)
    assert health.live
    assert health.report()["parts"]["follower"] == {"ok": False, "detail": "KeyError: 'a bug'"}
    repaired.set()
    await eventually(lambda: health.ready)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_part_that_is_given_up_is_dead() -> None:
    async def part() -> None:
        raise KeyError("a bug")

    health = Health()
    await keep_running(health, "follower", part, RetryPolicy(first_seconds=0.001, longest_seconds=0.001, attempts=2))
    assert not health.live


def test_an_exception_is_described_in_one_line() -> None:
    assert describe(ValueError("wrong")) == "ValueError: wrong"
    assert describe(TimeoutError()) == "TimeoutError"


def test_an_error_that_is_not_waited_for_is_one_line_unless_it_is_a_bug() -> None:
    with process(LOSES) as child:
        lines = [json.loads(line) for line in output(child).splitlines()]
    connection, bug, _ended = lines
    assert "ConnectionRefusedError: not there" in connection["error"]
    assert "exception" not in connection
    assert "KeyError" in bug["exception"]
