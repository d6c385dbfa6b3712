"""For all tests: who shares a worker, hypothesis profiles, and spans with real ids, as a configured process has
them."""

import os
import socket

import pytest
from hypothesis import settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.profiles import register

TOGETHER = ("tests/contract/", "tests/e2e/", "tests/integration/")
"""Folders whose tests share servers: one worker takes all of them, in their order. Elsewhere a file stays together."""

register()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class BySharedServers(LoadScopeScheduling):  # type: ignore[misc]
    """How tests are dealt out to several workers (pytest -n)."""

    def _split_scope(self, nodeid: str) -> str:
        """What stays together with this test."""
        file = nodeid.split("::", 1)[0]
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySharedServers:
    """Use this scheduler for every --dist option."""
    return BySharedServers(config, log)


@pytest.fixture
def tracing() -> None:
    """Spans get real ids; a process can set its provider only once, so it stays."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())


@pytest.fixture
def unused_port() -> int:
    """A port without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
