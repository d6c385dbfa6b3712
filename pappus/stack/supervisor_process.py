"""The supervisor as seen from another process: start it, hand it requests, stop it."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM

from pappus.stack.desired_state import DesiredState
from pappus.stack.errors import StackError
from pappus.stack.folders import PROJECT, StateFolder
from pappus.stack.identity import signal_process
from pappus.stack.lock import is_locked
from pappus.stack.logs import last_lines
from pappus.stack.settings import inherited_environment, without_ports
from pappus.stack.status import StackStatus, read_status

NAME = "supervisor"
REQUEST_SECONDS = 120.0
STOP_SECONDS = 90.0
POLL_SECONDS = 0.1
STARTS = 3  # one start may be lost to a supervisor that is just stopping
LOG_LINES = 20


def do_nothing() -> None:
    """Show nothing while waiting."""


class SupervisorProcess:
    """The supervisor of one stack. `cache`: the folder of fetched and built things, for a supervisor that it starts."""

    def __init__(self, state: StateFolder, cache: Path) -> None:
        self._state = state
        self._cache = cache

    def desired(self) -> DesiredState:
        """Return the request in force, without restarts that are done; an empty one if no supervisor runs."""
        if not is_locked(self._state):
            return DesiredState()
        desired = DesiredState.load(self._state)
        done = desired.request == read_status(self._state).request
        return desired.model_copy(update={"restart": []}) if done else desired

    def request(
        self, desired: DesiredState, parent: int | None = None, while_waiting: Callable[[], None] = do_nothing
    ) -> None:
        """Make `desired` the request in force and wait until a supervisor has carried it out: the running one, or a new
        one, which ends with the process `parent`. If another process replaces the request meanwhile, wait for that one.

        Raises:
            StackError: no supervisor starts, or the running one does not answer.
        """
        desired.save(self._state)
        starts, signalled = 0, set[int]()
        limit = time.monotonic() + REQUEST_SECONDS
        while (status := read_status(self._state)).request != DesiredState.load(self._state).request:
            if is_locked(self._state):
                self._signal_once(status, signalled)
            elif starts < STARTS:
                starts += 1
                self._start(parent)
            else:
                raise StackError("The supervisor does not start:\n" + "\n".join(last_lines(self._log, LOG_LINES)))
            if time.monotonic() > limit:
                raise StackError("The supervisor does not read the request. Try: pappus down, then pappus up")
            while_waiting()
            time.sleep(POLL_SECONDS)

    def stop(self, while_waiting: Callable[[], None] = do_nothing) -> None:
        """Stop the running supervisor, if any, and wait until it has ended; kill it after 90 s."""
        supervisor = read_status(self._state).supervisor
        if supervisor is None or not supervisor.alive():
            return
        signal_process(supervisor.pid, SIGTERM)
        limit = time.monotonic() + STOP_SECONDS
        while supervisor.alive():
            if time.monotonic() > limit:
                signal_process(supervisor.pid, SIGKILL)
            while_waiting()
            time.sleep(POLL_SECONDS)

    def _signal_once(self, status: StackStatus, signalled: set[int]) -> None:
        """Make the running supervisor read the request; once is enough, and more would interrupt it."""
        if status.supervisor and status.running and status.supervisor.pid not in signalled:
            signalled.add(status.supervisor.pid)
            signal_process(status.supervisor.pid, SIGHUP)

    def _start(self, parent: int | None) -> None:
        """Return when a supervisor, this one or another, holds the lock and has gone to the background."""
        command = [sys.executable, "-m", "pappus.stack.daemon", str(self._state.root), str(self._cache)]
        with self._log.open("ab") as log:
            subprocess.run(  # noqa: S603 - our own interpreter and module
                [*command, *(["--parent", str(parent)] if parent else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=PROJECT,
                env=without_ports(inherited_environment()),
                check=False,
            )

    @property
    def _log(self) -> Path:
        return self._state.log(NAME)
