"""The identity of a process: a pid may be reused by another process, a pid with its start time is unique."""

import os
from collections.abc import Iterator
from contextlib import suppress
from signal import Signals

import psutil
from pydantic import BaseModel, ConfigDict

# psutil derives the start time from the clock of the machine, which may be set while a process runs.
TOLERANCE_SECONDS = 2.0
# In the environment of every child: the state folder it belongs to.
MARK = "PAPPUS_STACK"


class Identity(BaseModel):
    """A process that leads its own group (so `pid` is the group's number too). `started`: Unix seconds."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Return the identity of a running process, or None if it has ended."""
        try:
            return cls(pid=pid, started=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Return whether this process still runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def signal_process(pid: int, number: Signals) -> None:
    """Send a signal to a process; do nothing if it has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def signal_group(group: int, number: Signals) -> None:
    """Send a signal to a process group; do nothing if it has ended."""
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def group_lives(group: int) -> bool:
    """Return whether a process of this group still runs. A zombie does not count: its parent reaps it."""
    return any(_group_of(process.pid) == group and _runs(process) for process in psutil.process_iter())


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def marked(mark: str) -> Iterator[int]:
    """Yield the pids whose environment has MARK=`mark`: processes started by a supervisor, and their children."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                yield process.pid
        except psutil.Error:
            continue  # ended, or another user's and so not of this stack
