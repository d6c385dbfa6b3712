"""The processes of a server: a peer is started for its turn and stopped after it, Pappus runs all the time."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import psutil

from bench.cpu_by_component import family_cpu_seconds, spent_by_component
from bench.serving.load import FORM, Request
from bench.serving.peers.answers import ask
from bench.serving.peers.peers import Peer
from bench.serving.peers.unavailable import Unavailable
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack

PROJECT = Path(__file__).resolve().parents[3]
START_SECONDS, STOP_SECONDS = 60.0, 10.0
SHOWN = 300
"""So many characters of what a process wrote last are shown."""


@dataclass(frozen=True)
class Running:
    """A server that answers on a port of this machine. `cpu_seconds`: what its processes have spent so far."""

    port: int
    cpu_seconds: Callable[[], float]


class Server(Protocol):
    """What is measured. `source`: the model that it answers with."""

    @property
    def name(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def request(self) -> Request: ...
    @property
    def key(self) -> str: ...
    @property
    def source(self) -> Path: ...

    def running(self, photograph: bytes) -> AbstractContextManager[Running]:
        """Let it run until the block ends; the photograph is asked about until there is an answer."""
        ...


@dataclass(frozen=True)
class PeerServer:
    """A peer with the Python of its environment."""

    peer: Peer
    python: Path
    source: Path
    workers: int
    folder: Path
    key: str = ""

    @property
    def name(self) -> str:
        """The name of the peer."""
        return self.peer.name

    @property
    def what(self) -> str:
        """What is on."""
        return self.peer.what

    @property
    def request(self) -> Request:
        """How it is sent a photograph."""
        return self.peer.request

    @contextmanager
    def running(self, photograph: bytes) -> Iterator[Running]:
        """Start it, wait for its first answer, and stop it at the end. Raises Unavailable: there is none."""
        port, log = _free_port(), self.folder / f"{self.name}.log"
        command = [str(self.python), *(part.format(port=port) for part in self.peer.command)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=self._environment(port),
                start_new_session=True,
            )
            try:
                self._wait(process, port, photograph, log)
                yield Running(port, lambda: family_cpu_seconds(process.pid))
            finally:
                _stop(process)

    def _environment(self, port: int) -> dict[str, str]:
        """Return the variables of its processes: those of this one, without what speaks of its Python."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return kept | {
            "PYTHONPATH": str(PROJECT),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PEER_MODEL": str(self.source.resolve()),
            "PEER_PORT": str(port),
            "PEER_WORKERS": str(self.workers),
        }

    def _wait(self, process: "subprocess.Popen[bytes]", port: int, photograph: bytes, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                ask(port, self.request, self.key, photograph)
            except Unavailable as error:
                said = " ".join(log.read_text(errors="replace").split())[-SHOWN:]
                if process.poll() is not None:
                    raise Unavailable(f"ended while it started: {said}") from error
                if time.monotonic() > deadline:
                    raise Unavailable(f"not ready after {START_SECONDS:.0f} s: {error}; {said}") from error
                time.sleep(0.3)
            else:
                return


@dataclass(frozen=True)
class PappusServer:
    """The replicas of a stack that runs, with all its other services beside them."""

    state: Path
    source: Path
    name: str = "pappus"
    what: str = "everything: keys, limits, log, metrics, traces, events, and all services of the stack beside it"
    request: Request = FORM

    @property
    def key(self) -> str:
        """The key of the stack, if it asks for one."""
        return self._stack.predictor_key

    @property
    def _stack(self) -> RunningStack:
        return RunningStack.find(StateFolder.at(self.state))

    @contextmanager
    def running(self, photograph: bytes) -> Iterator[Running]:
        """Ask once; it runs already."""
        port = urlsplit(self._stack.predictor).port
        assert port is not None
        ask(port, self.request, self.key, photograph)
        yield Running(port, self._cpu_seconds)

    def _cpu_seconds(self) -> float:
        """Return what the replicas spent."""
        spent = spent_by_component(self.state)
        return sum(spent[name] for name in spent if name.startswith("predictor-api"))


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask all processes of the server to end, and kill what is left."""
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    _, left = psutil.wait_procs(family, timeout=1.0)
    for each in left:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.kill()
    process.wait()
