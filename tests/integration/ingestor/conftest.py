"""The ingestor as a real process on real servers, with a web server that means harm to fetch from."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pappus.stack import Servers
from pappus.stack.ports import free_ports
from services.ingestor.data.projection import MIGRATIONS
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import create_topics, open_event_log
from shared.tables.database import Database
from shared.tables.postgres import Connection, connector
from tests.integration.ingestor.hostile import HostileServer
from tests.integration.ingestor.running import FAST, IngestorProcess


@pytest.fixture
async def hostile() -> AsyncIterator[HostileServer]:
    """The web server."""
    async with HostileServer.running() as server:
        yield server


@pytest.fixture(scope="session")
def ingestor(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngestorProcess]:
    """The process, running; it may fetch from 127.0.0.1 and nowhere else on this machine."""
    asyncio.run(create_topics(servers.kafka))
    output: Path = tmp_path_factory.mktemp("ingestor") / "log"
    port = free_ports(("health",))["health"]
    process = IngestorProcess({**servers.settings("ingestor"), **FAST, "health_port": str(port)}, output)
    process.start()
    process.wait_until_ready()
    yield process
    process.end(signal.SIGTERM)


@pytest.fixture
async def seeder(servers: Servers) -> AsyncIterator[Connection]:
    """A person with SQL, under the role that may only put rows in and look."""
    connection = await connector(servers.database_url("seeder"), "ingestor")()
    yield connection
    await connection.close()


@pytest.fixture
async def tables(servers: Servers) -> AsyncIterator[Database]:
    """The ingestor's tables in a schema of their own, empty."""
    schema = f"ingestor_{uuid4().hex[:12]}"
    superuser = await connector(servers.database_url("postgres"), "public")()
    for name in (schema, f"{schema}_replay"):
        await superuser.execute(f"CREATE SCHEMA {name} AUTHORIZATION ingestor")
    await superuser.close()
    async with Database.open(servers.database_url("ingestor"), schema, MIGRATIONS) as database:
        yield database
        await database.execute(f"DROP SCHEMA {schema}, {schema}_replay CASCADE")


@pytest.fixture
async def event_log(servers: Servers) -> AsyncIterator[EventLog]:
    """The log."""
    async with open_event_log(servers.kafka) as opened:
        yield opened
