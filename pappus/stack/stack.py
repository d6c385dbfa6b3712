"""The stack as the command line and the tests use it: up, down, status, reset."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM

from pappus.stack.cache import Cache
from pappus.stack.config import StackConfig, refuse_host
from pappus.stack.context import StackContext
from pappus.stack.credentials import Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import PROJECT, StateFolder
from pappus.stack.identity import signal_process
from pappus.stack.lock import is_locked, take_lock
from pappus.stack.logs import last_lines
from pappus.stack.ownership import claim, delete, refuse_deletion, refuse_foreign
from pappus.stack.plan import all_parts, chosen
from pappus.stack.ports import resolve_ports
from pappus.stack.postgres import remove_home
from pappus.stack.settings import StackSettings, inherited_environment, port_overrides, without_ports
from pappus.stack.status import PartState, StackStatus, read_status
from pappus.stack.sweep import sweep
from pappus.stack.trouble import trouble
from pappus.stack.wanted import EVERYTHING, Wanted

UP_SECONDS = 900.0  # the first time the S3 server is built
DOWN_SECONDS = 90.0
LOOK_SECONDS = 0.1
SUPERVISOR = "supervisor"
SUPERVISOR_STARTS = 3  # one may be lost to a supervisor that is just stopping
LOG_LINES = 20


def _silent(_: object) -> None:
    return


class Stack:
    """One stack in one state folder. Every method may be called from any process."""

    def __init__(self, state: Path | None = None, cache: Path | None = None) -> None:
        settings = StackSettings()
        self.state = StateFolder.at(state or settings.state)
        self.cache = (cache or settings.cache).expanduser()

    def up(
        self,
        only: Sequence[str] = EVERYTHING,
        *,
        allowed_hosts: Sequence[str] = (),
        ports: Mapping[str, int] | None = None,
        parent: int | None = None,
        watch: Callable[[StackStatus], None] = _silent,
    ) -> StackStatus:
        """Start what of `only` (names or groups) does not run, with what it needs, and wait until all of it is ready.

        `allowed_hosts`, `ports` and those in PAPPUS_PORT_ variables are kept in the state's config. `parent`: a process
        whose end also ends the stack. `watch` is called with the status again and again. What already ran beside `only`
        goes on.

        Raises:
            StackError: a name, port or host makes no sense, then nothing is kept; or a port is taken, something is
                missing, or a part does not start; what does run goes on running.
        """
        claim(self.state)
        config = self._configured(allowed_hosts, ports or {})
        self._refuse_unknown(only, config)
        if config != StackConfig.load(self.state):
            config.save(self.state)
        running = Wanted.load(self.state).words if is_locked(self.state) and self.state.wanted.exists() else []
        self._ask(Wanted.save(self.state, [*running, *only]), parent, watch)
        return self._wait_until_ready(watch)

    def down(self, tell: Callable[[str], None] = _silent) -> None:
        """Stop everything and wait until it is gone, left-overs of a killed supervisor included. Data stays.

        Raises:
            StackError: the folder is not a state folder, then nothing is touched; or a process does not stop.
        """
        refuse_foreign(self.state)
        if not self.state.run.exists():
            return
        self._stop_supervisor()
        lock = take_lock(self.state, DOWN_SECONDS)
        if lock is None:
            raise StackError(f"The supervisor of {self.state.root} did not stop. See: pappus logs {SUPERVISOR}.")
        with lock:
            left = read_status(self.state)
            sweep(left, tell)
            for part in left.parts:
                part.process = None
                part.enter(PartState.STOPPED)
            left.save(self.state)

    def status(self) -> StackStatus:
        """What is known now. Without a supervisor a part is stopped, or orphaned if its process still runs."""
        status = read_status(self.state)
        if not status.running:
            for part in status.parts:
                orphaned = part.process is not None and part.process.alive()
                part.enter(PartState.ORPHANED if orphaned else PartState.STOPPED)
        return status

    def reset(self) -> None:
        """Stop everything and delete the state folder. What was fetched and built stays in the cache.

        Raises:
            StackError: the folder is not a state folder, or holds something else too; then nothing is touched.
        """
        refuse_foreign(self.state)
        if self.state.root.exists():
            refuse_deletion(self.state)
            self.down()
            remove_home(self.state)
            delete(self.state)

    def credentials(self) -> Credentials:
        """The passwords of this stack. Raises StackError if it was never started."""
        if not self.state.credentials.exists():
            raise StackError(f"There is no stack in {self.state.root} yet. Start one: pappus up.")
        return Credentials.load_or_create(self.state)

    def ports(self) -> dict[str, int]:
        """Every port by its name, as the next `up` gives them out. Raises StackError."""
        return resolve_ports(StackConfig.load(self.state).ports, port_overrides(inherited_environment()))

    def _configured(self, allowed_hosts: Sequence[str], ports: Mapping[str, int]) -> StackConfig:
        """The config with what this start asks for. Raises StackError."""
        known = StackConfig.load(self.state)
        for host in allowed_hosts:
            refuse_host(host)
        overrides = port_overrides(inherited_environment())
        resolved = resolve_ports({**known.ports, **ports}, overrides)
        own = {*known.ports, *ports, *overrides}
        return StackConfig(
            ports={name: port for name, port in resolved.items() if name in own},
            allowed_hosts=sorted({*known.allowed_hosts, *allowed_hosts}),
        )

    def _refuse_unknown(self, only: Sequence[str], config: StackConfig) -> None:
        """Raises StackError for a name that is no part. Nothing is written: these parts are only looked at."""
        context = StackContext(
            state=self.state,
            cache=Cache(self.cache),
            config=config,
            ports=resolve_ports(config.ports, {}),
            credentials=Credentials(),
            environment=inherited_environment(),
            account=None,
        )
        chosen(all_parts(context), only)

    def _ask(self, request: str, parent: int | None, watch: Callable[[StackStatus], None]) -> None:
        """Have a supervisor read the request: the one that runs, or a new one."""
        starts = 0
        told: set[int] = set()
        while (status := read_status(self.state)).request != request:
            if is_locked(self.state):
                if status.supervisor and status.running and status.supervisor.pid not in told:
                    told.add(status.supervisor.pid)
                    signal_process(status.supervisor.pid, SIGHUP)
            elif starts < SUPERVISOR_STARTS:
                starts += 1
                self._start_supervisor(parent)
            else:
                raise StackError("The supervisor does not start:\n" + "\n".join(last_lines(self._log, LOG_LINES)))
            left = self.status()
            if any(part.state is PartState.ORPHANED for part in left.parts):
                watch(left)
            time.sleep(LOOK_SECONDS)

    def _start_supervisor(self, parent: int | None) -> None:
        """Returns when it holds the lock (or somebody else's does) and has gone to the background."""
        command = [sys.executable, "-m", "pappus.stack.daemon", str(self.state.root), str(self.cache)]
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
        return self.state.log(SUPERVISOR)

    def _wait_until_ready(self, watch: Callable[[StackStatus], None]) -> StackStatus:
        limit = time.monotonic() + UP_SECONDS
        while True:
            status = self.status()
            watch(status)
            if status.ready and status.problem is None:
                return status
            problem = trouble(status, out_of_time=time.monotonic() > limit)
            if problem:
                raise StackError(problem)
            time.sleep(LOOK_SECONDS)

    def _stop_supervisor(self) -> None:
        supervisor = read_status(self.state).supervisor
        if supervisor is None or not supervisor.alive():
            return
        signal_process(supervisor.pid, SIGTERM)
        limit = time.monotonic() + DOWN_SECONDS
        while supervisor.alive():
            if time.monotonic() > limit:
                signal_process(supervisor.pid, SIGKILL)
            time.sleep(LOOK_SECONDS)
