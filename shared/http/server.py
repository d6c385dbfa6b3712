"""The HTTP server of an API: one application on one or more sockets."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import uvicorn
from fastapi import FastAPI

from shared.http.connections import DeadlineProtocol
from shared.runtime.errors import PappusError

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle time of common clients and proxies: a server that closes first makes their next request fail."""
GRACE_SECONDS = 4
"""How long requests in flight may take after the process was asked to end; a client repeats a command that is cut."""
BACKLOG = 1024


class PortTaken(PappusError):
    """Another process listens on the port."""


@contextmanager
def listening(host: str, port: int, *, shared: bool) -> Iterator[socket.socket]:
    """Yield a TCP socket bound to `port` (0: the system chooses). A shared one may be bound by other processes of the
    same user too, and the kernel spreads connections over them (SO_REUSEPORT, Linux 3.9).

    Raises:
        PortTaken: the port cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            raise PortTaken(f"Cannot listen on {host}:{port} ({error}). Free the port or choose another.") from error
        yield bound


@contextmanager
def listening_as_replica(host: str, port: int, own_port: int) -> Iterator[list[socket.socket]]:
    """Yield the sockets of a replica: one on the port that all replicas share, and one on its own, for its health.

    Raises:
        PortTaken: one of the ports cannot be bound.
    """
    with listening(host, port, shared=True) as common, listening(host, own_port, shared=False) as own:
        yield [common, own]


class _Server(uvicorn.Server):
    """Signals belong to `shared.runtime.process.run`."""

    def capture_signals(self) -> Any:
        """Install no signal handlers."""
        return nullcontext()


async def serve_http(app: FastAPI, sockets: list[socket.socket], proxies: Sequence[str] = ()) -> None:
    """Serve `app` on all of `sockets` until cancelled; then accept nothing more, finish the requests in flight, and
    close what the lifespan of `app` opened. What `proxies` say of where a request came from (X-Forwarded-For) is
    believed: addresses, networks, or "*". Of others it is not, since any client can write it."""
    config = uvicorn.Config(
        app,
        http=DeadlineProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        backlog=BACKLOG,
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
