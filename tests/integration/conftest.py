"""Real servers for the integration tests: one Kafka, PostgreSQL and S3 server for the whole run, MLflow when asked."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pappus.stack import Servers
from pappus.stack.testing import servers_in

COLD_SECONDS = 900  # the first time on a machine Kafka is fetched and the S3 server built


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that needs the servers waits for their start, too."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]  # other folders: other workers
    first = next((item for item in here if "servers" in getattr(item, "fixturenames", ())), None)
    if first is not None:
        first.add_marker(pytest.mark.timeout(COLD_SECONDS), append=False)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Kafka, PostgreSQL with roles and schemas, S3 with buckets and policies; on free ports, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pappus-tests-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user has to pass when the tests run as root
        with servers_in(Path(folder) / "state", ("kafka", "postgres", "s3")) as running:
            yield running


@pytest.fixture(scope="session")
def servers_with_mlflow(servers: Servers) -> Servers:
    """The same servers and MLflow beside them."""
    status = servers.stack.up(["mlflow"])
    return Servers(servers.stack, status, servers.credentials)
