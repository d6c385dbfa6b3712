"""A small local HTTP server for a folder of images, so that the real download path runs."""

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pappus.errors import Refused


class _Quiet(SimpleHTTPRequestHandler):
    """The standard file handler without a log line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
        """Log nothing."""


@contextmanager
def serve_folder(folder: Path | None, port: int) -> Iterator[None]:
    """Serve `folder` on 127.0.0.1:`port` while the context lasts; nothing for None. Raises Refused if it is taken."""
    if folder is None:
        yield
        return
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
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
