"""The stack as the command line and the tests use it: up, down, restart, stop, status, reset."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pappus.stack.cache import Cache
from pappus.stack.config import StackConfig, refuse_host, refuse_settings
from pappus.stack.context import StackContext
from pappus.stack.credentials import Credentials
from pappus.stack.desired_state import EVERYTHING
from pappus.stack.diagnosis import GIVE_UP_FAILURES, diagnose
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.lock import take_lock
from pappus.stack.ownership import claim, delete, refuse_deletion, refuse_foreign
from pappus.stack.plan import all_components, chosen
from pappus.stack.ports import resolve_ports
from pappus.stack.postgres import remove_home
from pappus.stack.prometheus import find_prometheus
from pappus.stack.reap import reap
from pappus.stack.settings import StackSettings, inherited_environment, port_overrides
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus, read_status
from pappus.stack.supervisor_process import SupervisorProcess

UP_SECONDS = 900.0  # the first start builds the S3 server
DOWN_SECONDS = 90.0
POLL_SECONDS = 0.1


def _silent(_: object) -> None:
    return


class Stack:
    """One stack in one state folder. Every method may be called from any process."""

    def __init__(self, state: Path | None = None, cache: Path | None = None) -> None:
        settings = StackSettings()
        self.state = StateFolder.at(state or settings.state)
        self.cache = (cache or settings.cache).expanduser()
        self._supervisor = SupervisorProcess(self.state, self.cache)

    def up(
        self,
        only: Sequence[str] = EVERYTHING,
        *,
        allowed_hosts: Sequence[str] = (),
        lent_hosts: Sequence[str] = (),
        ports: Mapping[str, int] | None = None,
        secure: bool = False,
        observe: bool | None = None,
        parent: int | None = None,
        watch: Callable[[StackStatus], None] = _silent,
    ) -> StackStatus:
        """Start the components of `only` (names or groups) and those they need, and wait until the stack is ready.

        `allowed_hosts`, `ports` and the ports in PAPPUS_PORT_ variables are kept in the state's config, `lent_hosts`
        until `take_back_hosts`. `secure`: from now on this stack speaks TLS and asks for logins; what ran is started
        again, and the data stays. `observe`: from now on Prometheus and Jaeger run, too, or no longer; None: as before.
        `parent`: a process whose end also ends the stack. `watch` is called with each status while waiting. Other
        components that run keep running; components that were stopped on request are started if `only` selects them.

        Raises:
            StackError: a name, port, host or setting is invalid, then nothing is kept; or a port is taken, something is
                missing, or a component does not start, then the others keep running.
        """
        refuse_settings(inherited_environment())
        claim(self.state)
        config = self._configured(allowed_hosts, lent_hosts, ports or {}, secure=secure, observe=observe)
        if observe:
            find_prometheus(inherited_environment())
        started = self._selection(only, config)
        if config != StackConfig.load(self.state):
            config.save(self.state)
        desired = self._supervisor.desired().with_selected(only, started)
        self._supervisor.request(desired, parent, lambda: self._show_orphans(watch))
        return self._wait_until_ready(lambda status: status.expected, watch)

    def lend_hosts(self, hosts: Sequence[str]) -> None:
        """Allow the ingestor to fetch from `hosts` until `take_back_hosts`; if it runs, wait until it does.

        Raises:
            StackError: a host is invalid, or the ingestor does not start again.
        """
        self._reconfigure_ingestor(self._configured((), hosts, {}))

    def take_back_hosts(self) -> None:
        """Forbid the ingestor again what was lent; if it runs, wait until it is ready. Raises StackError if not."""
        known = StackConfig.load(self.state)
        if known.lent_hosts:
            self._reconfigure_ingestor(known.model_copy(update={"lent_hosts": []}))

    def _reconfigure_ingestor(self, config: StackConfig) -> None:
        config.save(self.state)
        if self.status().running:
            self._supervisor.request(self._supervisor.desired().with_selected((), ()))  # the same, read again
            self._wait_until_ready(
                lambda status: [part for part in status.expected if part.name == "ingestor"], _silent
            )

    def restart(self, words: Sequence[str], watch: Callable[[StackStatus], None] = _silent) -> StackStatus:
        """Stop and start these components (names or groups), and wait until they are ready. Start those that `stop` has
        stopped.

        Raises:
            StackError: no stack runs, a word is not a component, or a component fails to start; the supervisor then
                keeps trying.
        """
        names = self._running_names(words)
        self._supervisor.request(self._supervisor.desired().with_restart(names))
        return self._wait_until_ready(lambda status: status.matching(names), watch, give_up_failures=1)

    def stop(self, words: Sequence[str], watch: Callable[[StackStatus], None] = _silent) -> list[str]:
        """Stop these components (names or groups) until `restart` or `up` names them; return their names. `watch` is
        called with each status while waiting.

        Raises:
            StackError: no stack runs, or a word is not a component.
        """
        names = self._running_names(words)
        desired = self._supervisor.desired().with_stopped(names)
        self._supervisor.request(desired, while_waiting=lambda: watch(self.status()))
        return names

    def down(self, report: Callable[[str], None] = _silent, watch: Callable[[StackStatus], None] = _silent) -> None:
        """Stop everything and wait until it has ended, left-overs of a killed supervisor included. Data stays. `report`
        is called with a sentence for each left-over, `watch` with each status while waiting.

        Raises:
            StackError: the folder is not a state folder, then nothing is touched; or a process does not stop.
        """
        refuse_foreign(self.state)
        if not self.state.run.exists():
            return
        self._supervisor.stop(lambda: watch(self.status()))
        lock = take_lock(self.state, DOWN_SECONDS)
        if lock is None:
            raise StackError(f"The supervisor of {self.state.root} did not stop. See: pappus logs supervisor")
        with lock:
            left = read_status(self.state)
            reap(left, report)
            for component in left.components:
                component.process, component.stopped_on_request = None, False
                component.enter(ComponentState.STOPPED)
            left.save(self.state)

    def status(self) -> StackStatus:
        """Return the current status. Without a supervisor, a component is stopped, or orphaned if its process runs."""
        status = read_status(self.state)
        if not status.running:
            for component in status.components:
                orphaned = component.process is not None and component.process.alive()
                component.enter(ComponentState.ORPHANED if orphaned else ComponentState.STOPPED)
        return status

    def reset(self, watch: Callable[[StackStatus], None] = _silent) -> None:
        """Stop everything and delete the state folder. Fetched and built things stay in the cache. `watch` is called
        with each status while waiting.

        Raises:
            StackError: the folder is not a state folder, or holds something else too; then nothing is touched.
        """
        refuse_foreign(self.state)
        if self.state.root.exists():
            refuse_deletion(self.state)
            self.down(watch=watch)
            remove_home(self.state)
            delete(self.state)

    def credentials(self) -> Credentials:
        """Return the passwords of this stack. Raises StackError if it was never started."""
        if not self.state.credentials.exists():
            raise StackError(f"There is no stack in {self.state.root} yet. Start one: pappus up")
        return Credentials.load_or_create(self.state)

    def running_context(self) -> StackContext:
        """Return the settings of the running stack: those of its state folder, with the environment of the caller.

        Raises:
            StackError: no stack runs.
        """
        self.running_status()
        return StackContext.load(self.state, Cache(self.cache), inherited_environment())

    def ports(self) -> dict[str, int]:
        """Return every port by its name, as the next `up` assigns them. Raises StackError."""
        return resolve_ports(StackConfig.load(self.state).ports, port_overrides(inherited_environment()))

    def running_status(self) -> StackStatus:
        """Return the status of the running stack. Raises StackError if no stack runs."""
        status = read_status(self.state)
        if not status.running:
            raise StackError(f"No stack runs in {self.state.root}. Start it first: pappus up")
        return status

    def _running_names(self, words: Sequence[str]) -> list[str]:
        return [component.name for component in self.running_status().matching(words)]

    def _configured(
        self,
        allowed_hosts: Sequence[str],
        lent_hosts: Sequence[str],
        ports: Mapping[str, int],
        *,
        secure: bool = False,
        observe: bool | None = None,
    ) -> StackConfig:
        """Return the config with the hosts and ports of this start. Raises StackError."""
        known = StackConfig.load(self.state)
        for host in (*allowed_hosts, *lent_hosts):
            refuse_host(host)
        overrides = port_overrides(inherited_environment())
        resolved = resolve_ports({**known.ports, **ports}, overrides)
        own = {*known.ports, *ports, *overrides}
        return StackConfig(
            ports={name: port for name, port in resolved.items() if name in own},
            allowed_hosts=sorted({*known.allowed_hosts, *allowed_hosts}),
            lent_hosts=sorted({*known.lent_hosts, *lent_hosts} - {*known.allowed_hosts, *allowed_hosts}),
            secure=known.secure or secure,
            observe=known.observe if observe is None else observe,
        )

    def _selection(self, only: Sequence[str], config: StackConfig) -> list[str]:
        """Return the names of the components that `only` selects, with those they need. Nothing is written.

        Raises:
            StackError: a name is neither a component nor a group.
        """
        context = StackContext(
            state=self.state,
            cache=Cache(self.cache),
            config=config,
            ports=resolve_ports(config.ports, {}),
            credentials=Credentials(),
            environment=inherited_environment(),
            account=None,
        )
        return [component.name for component in chosen(all_components(context), only)]

    def _show_orphans(self, watch: Callable[[StackStatus], None]) -> None:
        status = self.status()
        if any(component.state is ComponentState.ORPHANED for component in status.components):
            watch(status)

    def _wait_until_ready(
        self,
        awaited: Callable[[StackStatus], Sequence[ComponentStatus]],
        watch: Callable[[StackStatus], None],
        give_up_failures: int = GIVE_UP_FAILURES,
    ) -> StackStatus:
        limit = time.monotonic() + UP_SECONDS
        while True:
            status = self.status()
            watch(status)
            if problem := diagnose(status, awaited(status), time.monotonic() > limit, give_up_failures):
                raise StackError(problem)
            if all(component.state is ComponentState.READY for component in awaited(status)):
                return status
            time.sleep(POLL_SECONDS)
