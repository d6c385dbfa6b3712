"""Work on a picture that only waits or ends, for a child process to import."""

import os
import signal
import time
from pathlib import Path


def process_id(data: bytes) -> int:
    """Return the id of the process that works."""
    return os.getpid()


def wait_for(data: bytes, gate: str) -> int:
    """Wait until the file exists."""
    Path(f"{gate}-{os.getpid()}-{time.perf_counter_ns()}").touch()
    while not Path(gate).exists():
        time.sleep(0.005)
    return os.getpid()


def compute(data: bytes) -> None:
    """Never come to an end."""
    while True:
        pass


def die(data: bytes) -> None:
    """End the process as the kernel does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
