"""Real servers for the contract tests, and the log and the store in both forms."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from pappus.stack import Servers
from pappus.stack.testing import servers_in
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import create_topics, open_event_log, wait_until_ready
from shared.tables.database import Database
from shared.testing import FreshSchema, MemoryEventLog, eventually, fresh_schema

COLD_SECONDS = 900  # the first time on a machine Kafka is fetched and the S3 server built


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test that needs the servers waits for their start, too."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(COLD_SECONDS), append=False)
            return


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Kafka, PostgreSQL and S3 on free ports, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pappus-contract-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user has to pass when the tests run as root
        with servers_in(Path(folder) / "state", ("kafka", "postgres", "s3")) as running:
            yield running


@asynccontextmanager
async def empty_kafka(bootstrap: str) -> AsyncIterator[EventLog]:
    """The broker with all topics empty."""
    await wait_until_ready(bootstrap, 60)  # the test before may have had it away
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        ours = [name for name in await admin.list_topics() if not name.startswith("__")]
        if ours:
            await admin.delete_topics(ours)

            async def gone() -> bool:
                return not set(ours) & set(await admin.list_topics())

            await eventually(gone)
    finally:
        await admin.close()
    await create_topics(bootstrap)
    async with open_event_log(bootstrap) as event_log:
        yield event_log


@pytest.fixture
async def kafka(servers: Servers) -> AsyncIterator[EventLog]:
    """The real log, empty."""
    async with empty_kafka(servers.kafka_bootstrap) as event_log:
        yield event_log


@pytest.fixture(params=["memory", "kafka"])
async def event_log(request: pytest.FixtureRequest) -> AsyncIterator[EventLog]:
    """The log in both forms, empty."""
    if request.param == "memory":
        yield MemoryEventLog()
        return
    servers: Servers = await asyncio.to_thread(request.getfixturevalue, "servers")
    async with empty_kafka(servers.kafka_bootstrap) as event_log:
        yield event_log


TABLES = """
CREATE TABLE images (
    image_id uuid PRIMARY KEY,
    label    text,
    attempts int NOT NULL DEFAULT 0,
    reasons  jsonb NOT NULL DEFAULT '[]'
);
CREATE TABLE inputs (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line text NOT NULL,
    size int GENERATED ALWAYS AS (length(line)) STORED
);
"""


@pytest.fixture
async def schema(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FreshSchema]:
    """A schema with TABLES."""
    folder = tmp_path / f"sql_{uuid4().hex}"
    folder.mkdir()
    (folder / "0001_tables.sql").write_text(TABLES)
    monkeypatch.syspath_prepend(str(tmp_path))
    async with fresh_schema(servers.database_url("postgres"), folder.name) as fresh:
        yield fresh


@pytest.fixture
async def database(schema: FreshSchema) -> AsyncIterator[Database]:
    """The database of that schema."""
    async with schema.open() as opened:
        yield opened


@pytest.fixture(scope="session")
def mlflow_url(servers: Servers) -> str:
    """A real MLflow beside the other servers."""
    return Servers(servers.stack, servers.stack.up(["mlflow"]), servers.credentials).mlflow_url
