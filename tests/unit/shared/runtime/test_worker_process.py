"""The warm child: one call at a time, honest about failures, and never an orphan."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.runtime.worker_process import ChildDied, WorkerProcess

PARENT = """
import asyncio
from shared.runtime.worker_process import WorkerProcess

async def main():
    with WorkerProcess("time") as child:
        print(child.pid, flush=True)
        await child.call("sleep", 300)

if __name__ == "__main__":
    asyncio.run(main())
"""


def gone(pid: int) -> bool:
    """Return whether the process has ended; a zombie counts as ended."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone(pid)


async def test_it_computes_in_another_process() -> None:
    with WorkerProcess("os") as child:
        assert await child.call("getpid") == child.pid != os.getpid()


async def test_the_event_loop_goes_on_meanwhile() -> None:
    with WorkerProcess("time") as child:
        task = asyncio.ensure_future(child.call("sleep", 0.3))
        turns = 0
        while not task.done():
            turns += 1
            await asyncio.sleep(0.001)
        await task
    assert turns > 20


async def test_an_exception_is_raised_here_with_the_traceback_of_the_child() -> None:
    with WorkerProcess("operator") as child:
        with pytest.raises(ZeroDivisionError) as raised:
            await child.call("truediv", 1, 0)
        assert "In the child process" in "".join(raised.value.__notes__)
        assert await child.call("add", 1, 2) == 3


async def test_a_dead_child_is_reported_and_replaced() -> None:
    with WorkerProcess("os") as child:
        first = child.pid
        with pytest.raises(ChildDied, match="exit code -9"):
            await child.call("kill", first, signal.SIGKILL)
        assert await child.call("getpid") != first


async def test_a_cancelled_call_ends_the_child() -> None:
    with WorkerProcess("time") as child:
        first = child.pid
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await child.call("sleep", 300)
        assert gone(first)
        assert await child.call("time") > 0


async def test_the_child_ends_with_its_context() -> None:
    with WorkerProcess("time") as child:
        pid = child.pid
    assert gone(pid)


def test_the_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        assert wait_until_gone(pid)
