"""For all tests: who shares a worker, and spans with real ids, as a configured process has them."""

import socket
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

HERE = Path(__file__).parent
TOGETHER = ("contract", "e2e", "integration")
"""Folders whose tests share servers: with several workers (-n) one worker takes all of them, in their order."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share something go to the same worker."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else str(item.path)))


@pytest.fixture
def tracing() -> None:
    """Spans get real ids; a process can set its provider only once, so it stays."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
