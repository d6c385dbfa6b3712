"""The recorder as a process, with a real MLflow: what was trained and promoted is recorded, after every outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from pappus.stack import Servers
from pappus.stack.ports import free_ports
from services.trainer.data import queries
from services.trainer.data.projection import MIGRATIONS, PROJECTORS, SCHEMA
from services.trainer.recorder.model_registry import ModelRegistry, open_model_registry
from services.trainer.recorder.models import TOPICS
from services.trainer.recorder.serial import SerialRegistry
from shared.contract.events import Event
from shared.messaging.kafka import KafkaEventLog, create_topics, open_event_log
from shared.runtime.health import Health
from shared.runtime.settings import Settings
from shared.tables.database import Database
from shared.tables.projection import Projection, wait_until_caught_up
from shared.testing import eventually, model_promoted, model_trained
from tests.integration.trainer.processes import TrainerProcess

MODULE = "services.trainer.recorder"
pytestmark = pytest.mark.timeout(240)


class World:
    """One model of its own in a log and tables that others use too."""

    def __init__(self, event_log: KafkaEventLog, database: Database, registry: ModelRegistry) -> None:
        self.model_name = f"plants-{uuid4().hex[:8]}"
        self.registry = registry
        self._event_log = event_log
        self._database = database

    async def publish(self, *events: Event) -> None:
        async with self._event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)

    async def promoted(self) -> str:
        """Train and promote a version as the next one."""
        trained = model_trained(model_name=self.model_name, version=f"full-{uuid4().hex[:12]}")
        await wait_until_caught_up(self._event_log, self._database, TOPICS, 30)
        last = await queries.promotion(self._database)
        await self.publish(
            trained,
            model_promoted(
                model_name=self.model_name,
                version=trained.version,
                sequence=last.sequence + 1 if last else 1,
                causes=(trained.event_id,),
            ),
        )
        return trained.version

    async def alias_is(self, version: str) -> bool:
        return await self.registry.champion(self.model_name) == version


@asynccontextmanager
async def world_of(servers: Servers) -> AsyncIterator[World]:
    await create_topics(servers.kafka)
    settings = Settings.model_validate(servers.settings("trainer"))
    async with (
        open_event_log(servers.kafka) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS) as database,
        open_model_registry(servers.mlflow_url, settings.s3_bucket, *servers.mlflow_login) as registry,
    ):
        projection = asyncio.ensure_future(Projection(event_log, database, PROJECTORS, Health()).run())
        try:
            yield World(event_log, database, registry)
        finally:
            projection.cancel()
            await asyncio.gather(projection, return_exceptions=True)


def recorder(servers: Servers, folder: Path, mlflow_url: str) -> TrainerProcess:
    name, password = servers.mlflow_login
    login = {"mlflow_username": name, "mlflow_password": password}
    own = {"mlflow_url": mlflow_url, **login, "replica": "trainer-recorder-test", "alias_seconds": "1"}
    return TrainerProcess(MODULE, {**servers.settings("trainer"), **own}, folder)


async def test_mlflow_shows_the_champion_although_it_was_away_at_first(
    servers_with_mlflow: Servers, tmp_path: Path
) -> None:
    servers = servers_with_mlflow
    async with world_of(servers) as world:
        (unused,) = free_ports({"mlflow": 0}).values()
        with recorder(servers, tmp_path / "without", f"http://127.0.0.1:{unused}") as process:
            first = await world.promoted()
            await eventually(lambda: "MLflow" in process.output.read_text(), timeout_seconds=60)
            assert process.is_running()
            assert not process.is_ready()
        with recorder(servers, tmp_path / "with", servers.mlflow_url) as process:
            await eventually(lambda: world.alias_is(first), timeout_seconds=90)
            second = await world.promoted()
            await eventually(lambda: world.alias_is(second), timeout_seconds=60)
            await eventually(process.is_ready, timeout_seconds=60)


async def test_two_recorders_make_one_run_of_a_version(servers_with_mlflow: Servers) -> None:
    servers = servers_with_mlflow
    settings = Settings.model_validate(servers.settings("trainer"))
    trained = model_trained(model_name=f"plants-{uuid4().hex[:8]}", version=f"full-{uuid4().hex[:12]}")
    async with (
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS) as database,
        open_model_registry(servers.mlflow_url, settings.s3_bucket, *servers.mlflow_login) as one,
        open_model_registry(servers.mlflow_url, settings.s3_bucket, *servers.mlflow_login) as other,
    ):
        recorders = [SerialRegistry(registry, partial(database.lock, "recorder")) for registry in (one, other)]
        runs = await asyncio.gather(*(recorder.record_training(trained) for recorder in recorders))
    assert runs[0] == runs[1]
