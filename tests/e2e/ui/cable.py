"""The way from a browser to the pages, which a test can cut."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit


@dataclass
class Cable:
    """Leads to the pages, under an `address` of its own."""

    address: str
    whole: bool = True
    ends: set[socket.socket] = field(default_factory=set)

    def cut(self) -> None:
        """End all connections, and new ones at once."""
        self.whole = False
        for end in list(self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections through again."""
        self.whole = True


@contextmanager
def cable(address: str) -> Iterator[Cable]:
    """Lay a cable to this address; it is gone afterwards."""
    parts = urlsplit(address)

    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            if not laid.whole:
                return
            with socket.create_connection((parts.hostname, parts.port)) as far:
                both = {self.request, far}
                laid.ends |= both
                back = threading.Thread(target=_pass_on, args=(far, self.request))
                back.start()
                _pass_on(self.request, far)
                back.join()
                laid.ends -= both

    with ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        laid = Cable(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield laid
        finally:
            laid.cut()
            server.shutdown()
            thread.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
