"""The ports of the stack: names, defaults, and which process holds a taken port."""

import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import SystemRandom

import psutil

from pappus.stack.errors import StackError

HOST = "127.0.0.1"
TEST_PORTS = range(10240, 32768)
DEFAULT_PORTS: Mapping[str, int] = {
    "kafka": 29092,
    "kafka-controller": 29093,
    "postgres": 25432,
    "s3": 29000,
    "mlflow": 25000,
    "predictor": 28000,
    "predictor-grpc": 28001,
    "predictor-api-0": 28010,
    "predictor-api-1": 28011,
    "labeler-api": 28100,
    "labeler-ui": 28501,
    "ingestor": 28200,
    "trainer-fast": 28201,
    "trainer-trigger": 28202,
    "trainer-full": 28203,
    "trainer-gate": 28204,
    "trainer-recorder": 28205,
    "predictor-worker": 28206,
    "labeler-ui-health": 28207,
    "predictor-monitor": 28208,
    "predictor-batches": 28209,
    "demo-images": 28300,
    "prometheus": 29090,
    "jaeger": 26686,
    "jaeger-otlp": 24318,
    "jaeger-otlp-grpc": 24317,
    "jaeger-health": 23133,
}


def resolve_ports(configured: Mapping[str, int], overrides: Mapping[str, str]) -> dict[str, int]:
    """Return the ports: PAPPUS_PORT_<NAME>, else the config, else the default. Raises StackError for an invalid one."""
    ports = dict(DEFAULT_PORTS)
    changes: list[tuple[str, int | str]] = [*configured.items(), *overrides.items()]
    for name, value in changes:
        if name not in ports:
            raise StackError(f"There is no port called {name!r}. Known names: {', '.join(sorted(ports))}.")
        ports[name] = _number(name, value)
    return ports


def _number(name: str, value: int | str) -> int:
    text = str(value)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StackError(f"The port of {name} is {text!r}; give a number from 1 to 65535.")
    return int(text)


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Return a free port for each name, below the range of outgoing connections: one of these could take it before its
    server starts. No other process of this user is given the same port by this function while this process runs: a
    server may bind its port half a minute later."""
    candidates = SystemRandom().sample(TEST_PORTS, len(TEST_PORTS))
    return dict(zip(names, (port for port in candidates if is_free(port) and _reserve(port)), strict=False))


def _reserve(port: int) -> bool:
    """Lock the file that stands for this port on this machine, until this process ends. Return whether no other process
    has locked it."""
    folder = Path(tempfile.gettempdir()) / f"pappus-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(port), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


def is_free(port: int) -> bool:
    """Return whether `port` of the loopback address is free to listen on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> str:
    """Return which process listens on `port`, in words; an unprivileged user may not see it."""
    try:
        listening = [
            c.pid
            for c in psutil.net_connections(kind="tcp")
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid
        ]
        if not listening:
            return "a process of another user"
        process = psutil.Process(listening[0])
        return f"process {process.pid} ({' '.join(process.cmdline())[:80] or process.name()})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return "a process that cannot be seen from here"


def busy_port(name: str, port: int) -> str | None:
    """Return which process holds `port` and what to do, or None if the port is free."""
    if is_free(port):
        return None
    variable = f"PAPPUS_PORT_{name.upper().replace('-', '_')}"
    remedy = f"Stop it, or choose another port: {variable}=<number> pappus up"
    return f"Port {port} ({name}) is taken by {holder(port)}. {remedy}"
