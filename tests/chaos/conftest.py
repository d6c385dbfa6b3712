"""One whole stack for all tests of a file."""

import os
from collections.abc import Iterator

import pytest

from pappus.stack import Stack
from pappus.stack.ports import DEFAULT_PORTS, free_ports


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, running."""
    running = Stack(tmp_path_factory.mktemp("chaos"))
    ports = free_ports(DEFAULT_PORTS)
    # Allowed from the start: the demo would allow it too, and that restarts the ingestor with the new setting.
    running.up(ports=ports, allowed_hosts=[f"127.0.0.1:{ports['demo-images']}"], parent=os.getpid())
    try:
        yield running
    finally:
        running.reset()
