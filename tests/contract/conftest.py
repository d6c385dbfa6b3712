"""The log in both forms and a schema of its own for each contract test."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from pappus.stack import Servers
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import open_event_log
from shared.tables.database import Database
from shared.testing import FreshSchema, MemoryEventLog, fresh_schema
from tests.topics import empty_topics


@asynccontextmanager
async def empty_kafka(servers: Servers) -> AsyncIterator[EventLog]:
    """Open the log of a broker whose topics are all empty."""
    await empty_topics(servers)
    async with open_event_log(servers.kafka) as event_log:
        yield event_log


@pytest.fixture
async def kafka(servers: Servers) -> AsyncIterator[EventLog]:
    """The real log, empty."""
    async with empty_kafka(servers) as event_log:
        yield event_log


@pytest.fixture(params=["memory", "kafka"])
async def event_log(request: pytest.FixtureRequest) -> AsyncIterator[EventLog]:
    """The log in both forms, empty."""
    if request.param == "memory":
        yield MemoryEventLog()
        return
    servers: Servers = await asyncio.to_thread(request.getfixturevalue, "servers")
    async with empty_kafka(servers) as event_log:
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
    """A schema with TABLES, dropped at the end."""
    folder = tmp_path / f"sql_{uuid4().hex}"
    folder.mkdir()
    (folder / "0001_tables.sql").write_text(TABLES)
    monkeypatch.syspath_prepend(str(tmp_path))
    async with fresh_schema(servers.database_url("postgres"), folder.name) as fresh:
        yield fresh


@pytest.fixture
async def database(schema: FreshSchema) -> AsyncIterator[Database]:
    """The database of `schema`, open."""
    async with schema.open() as opened:
        yield opened


@pytest.fixture(scope="session")
def mlflow_url(servers_with_mlflow: Servers) -> str:
    """Address of a real MLflow beside the other servers; MLflow's own client logs in as the one who writes."""
    name, password = servers_with_mlflow.mlflow_login
    os.environ.update(MLFLOW_TRACKING_USERNAME=name, MLFLOW_TRACKING_PASSWORD=password)
    return servers_with_mlflow.mlflow_url
