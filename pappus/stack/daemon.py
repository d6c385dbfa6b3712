"""The supervisor process: `python -m pappus.stack.daemon STATE CACHE`.

SIGTERM stops it, SIGHUP makes it read again what is wanted.
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
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.lock import take_lock
from pappus.stack.logs import trim
from pappus.stack.part import Part
from pappus.stack.plan import all_parts, chosen
from pappus.stack.ports import busy_port
from pappus.stack.settings import inherited_environment
from pappus.stack.status import StackStatus, read_status
from pappus.stack.supervisor import Supervisor
from pappus.stack.sweep import sweep
from pappus.stack.wanted import Wanted

log = logging.getLogger("pappus.stack")
LOOK_SECONDS = 1.0
LOCK_SECONDS = 2.0


class Daemon:
    """One supervisor with its signals. `parent`: a process whose end ends this one too (tests), or None."""

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
        """Sweep, look at the ports, then keep everything running until told to stop. Raises StackError."""
        loop = asyncio.get_running_loop()
        for number in (SIGTERM, SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(SIGHUP, self._read_again.set)
        sweep(read_status(self._state), log.info)
        self._status.save(self._state)
        supervisor = Supervisor(self._state, self._status)
        try:
            await self._supervise(supervisor)
        finally:
            await supervisor.stop()
            self._status.save(self._state)

    async def _supervise(self, supervisor: Supervisor) -> None:
        await self._start_wanted(supervisor)
        while not self._stop.is_set():
            await self._look_around()
            if supervisor.failed.done():
                supervisor.failed.result()
            if self._read_again.is_set():
                self._read_again.clear()
                try:
                    await self._start_wanted(supervisor)
                except StackError as error:
                    log.error("refused: %s", error)  # what runs goes on

    async def _start_wanted(self, supervisor: Supervisor) -> None:
        wanted = Wanted.load(self._state)
        self._status.request, self._status.problem = wanted.request, None
        try:
            context = StackContext.load(self._state, self._cache, self._environment)
            parts = chosen(all_parts(context), wanted.words)
            _refuse_busy_ports([part for part in parts if part.name not in supervisor.names])
            await supervisor.want(parts)
        except StackError as error:
            self._status.problem = str(error)
            raise
        finally:
            self._status.save(self._state)

    async def _look_around(self) -> None:
        """Wait for a signal, at most a second; meanwhile keep the logs short and see whether the parent lives."""
        waits = [asyncio.create_task(event.wait()) for event in (self._stop, self._read_again)]
        await asyncio.wait(waits, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        for log in self._state.logs.glob("*.log"):
            trim(log)
        if self._parent and not self._parent.alive():
            self._stop.set()


def _refuse_busy_ports(parts: Sequence[Part]) -> None:
    named = {name: port for part in parts for name, port in part.ports.items()}
    problems = [text for name, port in named.items() if (text := busy_port(name, port))]
    if problems:
        raise StackError("\n".join(problems))


def main(arguments: Sequence[str]) -> int:
    """Take the lock, go to the background, run until stopped. Returns 0 also where another supervisor already runs."""
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
