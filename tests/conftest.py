"""For all tests: which of them share a worker and servers, hypothesis profiles, coverage, and spans with real ids."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from pappus.stack import Servers
from pappus.stack.certificates import Authority
from tests import coverage_summary
from tests.profiles import register
from tests.server_forms import start_servers

COLD_SECONDS = 900  # the first time on a machine Kafka is fetched and the S3 server built
ON_SERVERS = ("tests/contract/", "tests/integration/")
"""Folders whose tests use the servers of their worker, which are started once for both."""
TOGETHER = ("tests/e2e/", "tests/integration/ingestor/")
"""Folders whose tests stay on one worker, in their order: they share a stack or processes."""
WITH_MLFLOW = (
    "tests/contract/test_model_registry.py",
    "tests/integration/stack/start_servers.py",
    "tests/integration/trainer/test_recorder_process.py",
)
"""Files that stay on one worker, because they start MLflow beside its servers."""
ORDER = ("tests/e2e/", "tests/contract/", "tests/integration/", "tests/unit/")
"""The longest group first and the many short files last, so that all workers end together. Contract tests, which empty
the log of their worker, are over on it before it runs integration tests."""
NOT_MEASURED = ("tests/integration/", "tests/e2e/", "tests/unit/ingestor/test_hostile_web.py")
"""Where most code runs in processes of its own, and thousands of generated cases that others cover too."""

os.environ.setdefault("PAPPUS_BACKGROUND_NICENESS", "0")
"""Beside the tests of other workers a training at a tenth of their weight would not end in time."""
register()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class BySharedServers(LoadScopeScheduling):  # type: ignore[misc]
    """Deals tests out to several workers (pytest -n): those of a folder in TOGETHER to one worker, those WITH_MLFLOW
    too, else those of a file."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of the group that this test belongs to."""
        file = nodeid.split("::", 1)[0]
        if file in WITH_MLFLOW:
            return "with MLflow"
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySharedServers:
    """Use this scheduler, independent of --dist. Groups are dealt out in the order of the items."""
    config.option.loadscopereorder = False
    return BySharedServers(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into ORDER, give the first test of each file that needs the servers the time that their start
    takes, and measure no coverage below NOT_MEASURED."""
    turns = [*enumerate(ORDER), (len(ORDER), "")]
    items.sort(key=lambda item: next(turn for turn, folder in turns if item.nodeid.startswith(folder)))
    first_by_file = {item.path: item for item in reversed(items) if _needs_servers(item)}
    for first in first_by_file.values():
        first.add_marker(pytest.mark.timeout(COLD_SECONDS), append=False)
    for item in items:
        if item.nodeid.startswith(NOT_MEASURED):
            item.add_marker(pytest.mark.no_cover)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what --cov measured, above the line with which pytest ends."""
    if config.getoption("cov_source", None):
        terminalreporter.section("coverage")
        for line in coverage_summary.lines(config.rootpath / ".coverage"):
            terminalreporter.write_line(line)


def _needs_servers(item: pytest.Item) -> bool:
    """Return whether the test asks for servers itself, or is the variant of a contract test that runs on them."""
    if not item.nodeid.startswith(ON_SERVERS):
        return False
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return "servers" in getattr(item, "fixturenames", ()) or not {"kafka", "s3", "mlflow"}.isdisjoint(
        value for value in parameters.values() if isinstance(value, str)
    )


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Kafka, PostgreSQL with roles and schemas, S3 with buckets and policies; on free ports, gone afterwards."""
    with start_servers() as running:
        yield running


@pytest.fixture(scope="session")
def servers_with_mlflow(servers: Servers) -> Servers:
    """The same servers, and MLflow beside them."""
    return servers.with_mlflow()


@pytest.fixture
def tracing() -> None:
    """Spans get real ids; a process can set its provider only once, so it stays."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())


@pytest.fixture
def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """The certificate of an authority, in PEM form."""
    authority = Authority(tmp_path / "authority")
    authority.prepare()
    return authority.certificate
