"""The pages as their own process, with fake APIs behind them, and a browser before them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from pappus.stack.ports import free_ports
from tests.unit.labeler.ui.fake_apis import FakeApis

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
FLOWER = Path(__file__).with_name("flower.png")
with_browser = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"There is no browser at {CHROMIUM}; set CHROMIUM to one."
)


@contextmanager
def served(answer: Callable[[httpx2.Request], httpx2.Response]) -> Iterator[str]:
    """Serve `answer` on a free port; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            response = answer(
                httpx2.Request(self.command, f"http://fake{self.path}", headers=dict(self.headers), content=body)
            )
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.content)

        do_POST = do_PATCH = do_GET  # noqa: N815 - the names the server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the server uses
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Stage:
    """The pages with fake APIs, fresh ones for each test. `address` is that of the pages."""

    apis: FakeApis
    address: str = ""

    def labeler(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the labeler's API of this test."""
        return self.apis.labeler(request)

    def predictor(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the predictor's API of this test."""
        return self.apis.predictor(request)


def wait_for(address: str, timeout_seconds: float = 120.0) -> None:
    """Wait until the address answers 200."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        with suppress(httpx2.TransportError):
            if httpx2.get(address).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"{address} did not answer within {timeout_seconds:g} s.")


@contextmanager
def staged() -> Iterator[Stage]:
    """Run the pages until the end of the block."""
    stage = Stage(FakeApis())
    with served(stage.labeler) as labeler, served(stage.predictor) as predictor:
        port = free_ports(("ui",))["ui"]
        settings = {"PORT": str(port), "LABELER_URL": labeler, "PREDICTOR_URL": predictor}
        environment = os.environ | {f"PAPPUS_{name}": value for name, value in settings.items()}
        process = subprocess.Popen([sys.executable, "-m", "services.labeler.ui"], env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            stage.address = f"http://127.0.0.1:{port}"
            yield stage
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0
