"""A web server for the pictures of a test."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """A web server at `address`. `requests` are the paths that were asked for, in order."""

    address: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def served(address: str, pages: Mapping[str, bytes], seconds_each: float = 0.0) -> Iterator[Served]:
    """Serve these pages (by name) at `address`, one at a time, each after `seconds_each`; 404 for all else."""
    web, turn = Served(address), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.requests.append(self.path)
            with turn:
                time.sleep(seconds_each)
            page = pages.get(self.path.lstrip("/"))
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the server uses
            """Say nothing."""

    host, port = address.removeprefix("http://").split(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
