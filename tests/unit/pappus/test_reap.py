"""What is ended after a supervisor was killed, and what is left alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, Signals

import psutil

from pappus.stack.folders import StateFolder
from pappus.stack.identity import MARK, Identity
from pappus.stack.reap import reap
from pappus.stack.status import ComponentStatus, StackStatus


@contextmanager
def process(code: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", f"import signal, subprocess, sys, time; {code}"],
        env=dict(os.environ) | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def first_line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def left_behind(state: StateFolder, identity: Identity | None, stop_signal: Signals = SIGINT) -> StackStatus:
    component = ComponentStatus(name="it", group="tests", process=identity, stop_signal=stop_signal)
    return StackStatus(state=str(state.root), credentials="", users="", components=[component])


def test_a_recorded_process_is_ended_with_its_own_signal(state: StateFolder) -> None:
    reported: list[str] = []
    with process(
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(7)); print('up', flush=True); time.sleep(60)"
    ) as child:
        first_line(child)
        assert reap(left_behind(state, Identity.of(child.pid)), reported.append) == ["it"]
        assert child.wait() == 7
    assert len(reported) == 1
    assert str(child.pid) in reported[0]


def test_a_process_with_another_start_time_is_left_alone(state: StateFolder) -> None:
    with process("print('up', flush=True); time.sleep(60)") as child:
        first_line(child)
        real = Identity.of(child.pid)
        assert real is not None
        assert reap(left_behind(state, real.model_copy(update={"started": real.started - 3600})), print) == []
        assert real.alive()


def test_the_children_of_a_recorded_process_are_ended_too(state: StateFolder) -> None:
    grandchild = "print(subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)']).pid, flush=True)"
    with process(f"{grandchild}; time.sleep(60)") as child:
        below = Identity.of(int(first_line(child)))
        assert below is not None
        reap(left_behind(state, Identity.of(child.pid)), print)
        assert not below.alive()


def test_what_was_started_but_not_written_down_is_known_by_its_mark(state: StateFolder) -> None:
    with process("print('up', flush=True); time.sleep(60)", **{MARK: str(state.root)}) as child:
        first_line(child)
        orphan = Identity.of(child.pid)
        assert orphan is not None
        reap(left_behind(state, None), print)
        assert not orphan.alive()


def test_another_stacks_processes_are_left_alone(state: StateFolder) -> None:
    with process("print('up', flush=True); time.sleep(60)", **{MARK: f"{state.root}-2"}) as child:
        first_line(child)
        reap(left_behind(state, None), print)
        assert psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE
