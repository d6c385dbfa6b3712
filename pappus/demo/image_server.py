"""A small local HTTP server for the images of a seed, so that the real download path runs."""

import errno
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from pappus.errors import Refused
from pappus.stack.ports import HOST


@contextmanager
def serve_files(files: Mapping[str, Path], port: int, host: str = HOST) -> Iterator[None]:
    """Serve each file at the path of its URL on `host`:`port` while the context lasts, and nothing else. Without files:
    nothing.

    Raises:
        Refused: the port is taken, or the address is none of this machine.
    """
    if not files:
        yield
        return
    targets = {_target(url): file for url, file in files.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                data = targets[self.path].read_bytes()
            except (KeyError, OSError):
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
            """Log nothing."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        if host != HOST:
            why = error.strerror or str(error)
            raise Refused(f"Images cannot be served on {host}:{port} ({why}): choose another, --serve-on") from error
        if error.errno != errno.EADDRINUSE:
            raise
        raise Refused(
            f"Port {port} is taken, and the demo serves its images there. Stop what listens on it, or choose another: "
            "PAPPUS_PORT_DEMO_IMAGES=<number> pappus demo"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="images", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _target(url: str) -> str:
    """Return what the request line for this URL asks for."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
