"""Telling our processes from others that got their number."""

import os
import subprocess
import sys
from signal import SIGKILL

from pappus.stack.identity import MARK, Identity, marked, signal_group, signal_process


def sleeper(mark: str = "") -> "subprocess.Popen[bytes]":
    environment = dict(os.environ) | ({MARK: mark} if mark else {})
    code = "print(flush=True); import time; time.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", code], env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_a_process_is_alive_until_it_ends() -> None:
    with sleeper() as child:
        identity = Identity.of(child.pid)
        assert identity is not None
        assert identity.alive()
        child.kill()
        child.wait()
        assert not identity.alive()
        assert Identity.of(child.pid) is None


def test_a_zombie_is_not_alive() -> None:
    with sleeper() as child:
        identity = Identity.of(child.pid)
        assert identity is not None
        os.kill(child.pid, SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not identity.alive()


def test_another_process_with_the_same_pid_is_a_different_one() -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert not own.model_copy(update={"started": own.started - 60}).alive()


def test_only_children_of_this_very_stack_carry_its_mark() -> None:
    with sleeper("/somewhere/one") as one, sleeper("/somewhere/two") as two, sleeper() as unmarked:
        assert list(marked("/somewhere/one")) == [one.pid]
        for child in (one, two, unmarked):
            child.kill()


def test_a_signal_to_a_process_that_is_gone_is_no_error() -> None:
    with sleeper() as child:
        signal_process(child.pid, SIGKILL)
        assert child.wait() == -SIGKILL
    signal_process(child.pid, SIGKILL)
    signal_group(child.pid, SIGKILL)
