"""The labeler's API over real tables: a fresh database for each test, the log and the object store in memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI

from pappus.stack import Servers
from services.labeler.accounts.sessions import issue_token
from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import read_users
from services.labeler.api.app import create_app
from services.labeler.data.projection import PROJECTORS
from services.labeler.settings import MIGRATIONS, SCHEMA, LabelerSettings
from shared.contract.events import Event
from shared.messaging.event_log import EventLog
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.postgres import connector
from shared.tables.projection import wait_until_caught_up
from shared.testing import FixedClock, MemoryEventLog, MemoryObjectStore, eventually
from shared.testing.oidc_provider import CLIENT
from shared.testing.oidc_provider import SECRET as CLIENT_SECRET

from .predictor_in_tests import PredictorInTests

PASSWORDS = {"anna": "anna's password", "berta": "berta's password", "olga": "olga's password"}
ROLES = {"anna": "labeler", "berta": "labeler", "olga": "operator"}
SECRET = "a secret of at least thirty-two bytes"
ISSUER = "https://id.example.org/realms/plants"
OF_PROVIDER = {
    "oidc_issuer": ISSUER,
    "oidc_client_id": CLIENT,
    "oidc_client_secret": CLIENT_SECRET,
    "oidc_redirect_url": "https://pappus.example.org/oidc/callback",
    "oidc_name": "Keycloak",
    "oidc_default_role": "labeler",
}
TOPICS = tuple(projector.event.topic for projector in PROJECTORS)


@pytest.fixture(scope="session")
def template(servers: Servers) -> str:
    """Name of a database with the labeler's empty tables; cloning it is quicker than migrating anew."""
    name = f"labeler_template_{uuid4().hex[:8]}"

    async def prepare() -> None:
        await _administer(servers, f"CREATE DATABASE {name}")
        async with Database.open(servers.database_url("postgres", name), SCHEMA, MIGRATIONS):
            pass

    asyncio.run(prepare())
    return name


@pytest.fixture
async def database_url(servers: Servers, template: str) -> AsyncIterator[str]:
    """A fresh database for this test."""
    name = f"labeler_{uuid4().hex[:12]}"
    await _administer(servers, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield servers.database_url("postgres", name)
    await _administer(servers, f"DROP DATABASE {name} WITH (FORCE)")


async def _administer(servers: Servers, statement: str) -> None:
    connection = await connector(servers.database_url("postgres", "postgres"), "public")()
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def tables(database_url: str) -> AsyncIterator[Database]:
    """The labeler's empty tables."""
    async with Database.open(database_url, SCHEMA, MIGRATIONS) as database:
        yield database


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    """Two labelers and an operator."""
    path = tmp_path / "users.json"
    path.write_text(json.dumps([{"name": n, "role": ROLES[n], "password": p} for n, p in PASSWORDS.items()]))
    return path


@pytest.fixture
async def people(tables: Database, users_file: Path) -> None:
    """Insert the users, so that they can log in; most tests use tokens instead, since hashing is slow on purpose."""
    await Users(tables).set_all(read_users(users_file), FixedClock()())


@pytest.fixture
def settings(database_url: str) -> LabelerSettings:
    """Settings of an API with short waits."""
    return LabelerSettings.model_validate(
        {
            "database_url": database_url,
            "session_secret": SECRET,
            "predictor_url": "http://predictor",
            "login_failure_seconds": 0.0,
            "outcome_timeout_seconds": 5.0,
            "publish_timeout_seconds": 2.0,
        }
    )


@dataclass
class Labeler:
    """A running API and its dependencies."""

    app: FastAPI
    health: Health
    event_log: MemoryEventLog
    store: MemoryObjectStore
    clock: FixedClock
    tables: Database
    tokens: dict[str, str] = field(default_factory=dict)
    predictor: PredictorInTests = field(default_factory=PredictorInTests)

    def client(self, name: str | None = None) -> httpx2.AsyncClient:
        """Return a client, logged in as `name` if given."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name else {}
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://labeler", headers=headers)

    async def publish(self, *events: Event) -> None:
        """Publish events and wait until the tables show them."""
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)
        await wait_until_caught_up(self.event_log, self.tables, TOPICS, 10)

    async def correct(
        self, who: str, image_id: UUID, label: str, revision: int, key: str | None = None
    ) -> httpx2.Response:
        """Correct a label as this user."""
        headers = {"Idempotency-Key": key} if key else {}
        async with self.client(who) as client:
            body = {"label": label, "revision": revision}
            return await client.post(f"/images/{image_id}/label", json=body, headers=headers)

    async def get(self, path: str, who: str = "anna") -> Any:
        """Return the JSON of a GET, which must be 200."""
        async with self.client(who) as client:
            response = await client.get(path)
        assert response.status_code == 200, response.text
        return response.json()


@asynccontextmanager
async def running(
    settings: LabelerSettings,
    event_log: EventLog,
    store: MemoryObjectStore,
    provider_network: httpx2.AsyncBaseTransport | None = None,
    predictor: PredictorInTests | None = None,
) -> AsyncIterator[tuple[FastAPI, Health]]:
    """Run an API over any log until it is ready."""

    @asynccontextmanager
    async def open_store() -> AsyncIterator[MemoryObjectStore]:
        yield store

    health = Health(needed=("tables",))
    network = (predictor or PredictorInTests()).network
    app = create_app(
        *(settings, event_log, open_store, health, FixedClock()),
        provider_network=provider_network,
        predictor_network=network,
    )
    async with app.router.lifespan_context(app):
        await eventually(lambda: health.ready and health.ok and health.state("publisher") is not None)
        yield app, health


def token(name: str) -> str:
    """Return a session token for ten hours."""
    return issue_token(name, SECRET, FixedClock()(), timedelta(hours=10))[0]


@pytest.fixture
async def known(tables: Database) -> None:
    """Insert the users without passwords: their tokens count, and logging in is not possible."""
    for name, role in ROLES.items():
        insert = "INSERT INTO users (name, role, password_hash) VALUES ($1, $2, '') ON CONFLICT DO NOTHING"
        await tables.execute(insert, name, role)


@pytest.fixture
async def labeler(settings: LabelerSettings, tables: Database, known: None) -> AsyncIterator[Labeler]:
    """A running API with three users logged in."""
    event_log, store, predictor = MemoryEventLog(), MemoryObjectStore(), PredictorInTests()
    async with running(settings, event_log, store, predictor=predictor) as (app, health):
        clock = app.state.service.command_bus.clock
        tokens = {name: token(name) for name in PASSWORDS}
        yield Labeler(app, health, event_log, store, clock, tables, tokens, predictor)


@pytest.fixture
def no_waiting(settings: LabelerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make commands answer 202 at once when the tables do not show the outcome."""
    monkeypatch.setitem(settings.__dict__, "outcome_timeout_seconds", 0.05)
