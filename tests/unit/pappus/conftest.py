"""Small processes to supervise, a state folder for them, and APIs that answer as a test wants."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any

import pytest

from pappus.stack.component import Component, Launch, Say
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.ownership import claim
from pappus.stack.ports import HOST
from pappus.stack.status import ComponentStatus, StackStatus

from .api_answers import session

MakeComponent = Callable[..., Component]


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder.at(tmp_path / "state")
    claim(folder)
    return folder


@pytest.fixture
def make_component(tmp_path: Path) -> MakeComponent:
    """Components that run a line of Python; ready as soon as `READY` in that line was executed."""

    def make(
        name: str,
        code: str = "READY; time.sleep(60)",
        *,
        needs: tuple[str, ...] = (),
        stop_signal: Signals = SIGTERM,
        grace_seconds: float = 5.0,
        start_seconds: float = 20.0,
        config_hash: str = "",
    ) -> Component:
        ready = tmp_path / f"{name}.ready"
        source = f"import os, signal, subprocess, sys, time, pathlib; {code}".replace(
            "READY", f"pathlib.Path({str(ready)!r}).touch()"
        )

        async def launch(_: Say) -> Launch:
            ready.unlink(missing_ok=True)
            return Launch((sys.executable, "-S", "-c", source), dict(os.environ), folder=tmp_path)

        async def probe() -> bool:
            return ready.exists()

        return Component(
            name=name,
            group="tests",
            launch=launch,
            probe=probe,
            needs=needs,
            stop_signal=stop_signal,
            grace_seconds=grace_seconds,
            start_seconds=start_seconds,
            config_hash=config_hash,
        )

    return make


@dataclass
class FakeApis:
    """One web server in place of the labeling and the prediction API: `answers` by method and path, everything else is
    a 404. No class has another name. `requests` are the lines that came, `bodies` what they carried."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def apis(state: StateFolder) -> Iterator[FakeApis]:
    """The two APIs of a stack that seems to run in `state`; every log-in succeeds."""
    labels = {"labels": ["dandelion", "grass"], "model_name": "plants", "names": {}}
    fake = FakeApis({"POST /login": (200, session()), "GET /labels": (200, labels)})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            line = f"{self.command} {self.path}"
            fake.requests.append(line)
            fake.bodies.append(body)
            status, answer = fake.answers.get(line, (404, {"detail": f"no {line}"}))
            data = json.dumps(answer(body) if callable(answer) else answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the server uses
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    fake.url = f"http://{HOST}:{server.server_port}"
    _seem_to_run(state, server.server_port)
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _seem_to_run(state: StateFolder, port: int) -> None:
    ports = {"postgres": {"postgres": port}, "ingestor": {"demo-images": port}}
    ports["predictor-api-0"] = {"predictor": port, "predictor-api-0": port}
    names = ("labeler-api", "labeler-ui", "mlflow", *ports)
    StackStatus(
        state=str(state.root),
        supervisor=Identity.of(os.getpid()),
        credentials=str(state.credentials),
        users=str(state.users),
        components=[
            ComponentStatus(name=name, group="tests", address=f"http://{HOST}:{port}", ports=ports.get(name, {}))
            for name in names
        ],
    ).save(state)
