"""The supervisor process: `python -m pappus.stack.daemon STATE CACHE`.

SIGTERM stops it; SIGHUP makes it read the desired state again.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

from pappus.stack.cache import Cache
from pappus.stack.component import Component
from pappus.stack.context import StackContext
from pappus.stack.desired_state import DesiredState
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.lock import take_lock
from pappus.stack.logs import trim
from pappus.stack.plan import all_components, chosen
from pappus.stack.ports import busy_port
from pappus.stack.reap import reap
from pappus.stack.settings import inherited_environment
from pappus.stack.status import StackStatus, read_status
from pappus.stack.supervisor import Supervisor

log = logging.getLogger("pappus.stack")
LOOK_SECONDS = 1.0
LOCK_SECONDS = 2.0


class Daemon:
    """One supervisor with its signals. `parent`: a process whose end also ends this one (tests), or None."""

    def __init__(self, state: StateFolder, cache: Cache, environment: Mapping[str, str], parent: int | None) -> None:
        self._state = state
        self._cache = cache
        self._environment = environment
        self._parent = Identity.of(parent) if parent else None
        self._stop = asyncio.Event()
        self._read_again = asyncio.Event()
        self._status = StackStatus(
            state=str(state.root),
            supervisor=Identity.of(os.getpid()),
            credentials=str(state.credentials),
            users=str(state.users),
        )

    async def run(self) -> None:
        """Reap left-over processes, check the ports, then keep everything running until SIGTERM. Raises StackError."""
        loop = asyncio.get_running_loop()
        for number in (SIGTERM, SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(SIGHUP, self._read_again.set)
        reap(read_status(self._state), log.info)
        self._status.save(self._state)
        supervisor = Supervisor(self._state, self._status)
        try:
            await self._supervise(supervisor)
        finally:
            await supervisor.stop()
            self._status.save(self._state)

    async def _supervise(self, supervisor: Supervisor) -> None:
        await self._apply_desired(supervisor)
        while not self._stop.is_set():
            await self._look_around()
            if supervisor.failed.done():
                supervisor.failed.result()
            if self._read_again.is_set():
                self._read_again.clear()
                try:
                    await self._apply_desired(supervisor)
                except StackError as error:
                    log.error("refused: %s", error)  # running components are left alone

    async def _apply_desired(self, supervisor: Supervisor) -> None:
        """Carry out the last request; its id appears in the status once that is done, or refused. Raises StackError."""
        desired = DesiredState.load(self._state)
        problem: str | None = None
        try:
            context = StackContext.load(self._state, self._cache, self._environment)
            known = all_components(context)
            components = chosen(known, desired.selected)
            running = [component for component in components if component.name not in desired.stopped]
            _refuse_busy_ports([component for component in running if component.name not in supervisor.names])
            await supervisor.remove(supervisor.names - {component.name for component in known})
            await supervisor.stop_components(desired.stopped)
            await supervisor.apply(running, desired.restart)
        except StackError as error:
            problem = str(error)
            raise
        finally:
            self._status.request, self._status.problem = desired.request, problem
            self._status.save(self._state)

    async def _look_around(self) -> None:
        """Wait for a signal, at most a second; trim the logs and check that the parent is alive."""
        waits = [asyncio.create_task(event.wait()) for event in (self._stop, self._read_again)]
        await asyncio.wait(waits, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        for log in self._state.logs.glob("*.log"):
            trim(log)
        if self._parent and not self._parent.alive():
            self._stop.set()


def _refuse_busy_ports(components: Sequence[Component]) -> None:
    named = {name: port for component in components for name, port in component.ports.items()}
    problems = [text for name, port in named.items() if (text := busy_port(name, port))]
    if problems:
        raise StackError("\n".join(problems))


def main(arguments: Sequence[str]) -> int:
    """Take the lock, go to the background, run until stopped. Return 0 also if another supervisor already runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="pappus.stack.daemon")
    parser.add_argument("state", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--parent", type=int)
    options = parser.parse_args(arguments)
    state = StateFolder.at(options.state)
    lock = take_lock(state, LOCK_SECONDS)
    if lock is None or os.fork() > 0:
        return 0
    os.setsid()
    with lock:
        return _supervise(state, Cache(options.cache), options.parent)


def _supervise(state: StateFolder, cache: Cache, parent: int | None) -> int:
    async def run() -> None:
        await Daemon(state, cache, inherited_environment(), parent).run()

    try:
        asyncio.run(run())
    except StackError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
