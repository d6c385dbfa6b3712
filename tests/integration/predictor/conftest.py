"""One replica and the worker as real processes on real servers, and the two services they hear from."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import reduce
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]

from pappus.stack import Servers
from pappus.stack.ports import free_ports
from pappus.stack.s3_policy import PREDICTOR_API
from services.predictor.data.projection import MIGRATIONS, SCHEMA
from services.predictor.decisions.promotions import Promotions, fold
from shared.contract.events import Event, ImageStored, ModelPromoted
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import create_topics, open_event_log
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.testing import image_stored
from tests.integration.ingestor.running import events_of
from tests.integration.predictor.running import PredictorProcess
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import picture, sha256_of, small_artefact


class World:
    """Publishes and stores as trainer and ingestor do, and holds the processes under test."""

    def __init__(self, servers: Servers, event_log: EventLog, database: Database, folder: Path) -> None:
        self._servers = servers
        self.database_url = servers.database_url("predictor")
        self.event_log = event_log
        self.database = database
        ports = free_ports(("shared", "api", "worker", "batches", "second", "callbacks"))
        self.callback_port = ports["callbacks"]
        callbacks = {
            "callback_secret": "the secret of this installation",
            "callback_hosts": f'["127.0.0.1:{self.callback_port}"]',
        }
        common = {
            **servers.settings("predictor"),
            **callbacks,
            "loaded_every_seconds": "0.5",
            "port": str(ports["shared"]),
        }
        key = servers.credentials.s3[PREDICTOR_API]
        answers = {
            "database_url": servers.database_url("predictor_api"),
            "health_port": str(ports["api"]),
            "s3_access_key": key.access_key,
            "s3_secret_key": key.secret_key,
        }
        self.api = self._process("api", "api", {**common, **answers}, folder)
        self.worker = self._process("worker", "worker", {**common, "health_port": str(ports["worker"])}, folder)
        self.batches = self._process("batches", "batches", {**common, "health_port": str(ports["batches"])}, folder)
        self.second_batches = self._process(
            "batches", "second", {**common, "health_port": str(ports["second"])}, folder
        )
        """Not started: the tests of batches do, and kill them."""
        self.shared_url = f"http://127.0.0.1:{ports['shared']}"
        self.sequence = 0
        """The last one that counts; other tests may have promoted on the same Kafka."""

    def _process(self, module: str, name: str, settings: dict[str, str], folder: Path) -> PredictorProcess:
        own = {"replica": f"{name}-under-test", "state_folder": str(folder / name)}
        return PredictorProcess(module, {**settings, **own}, folder / f"{name}.log")

    async def publish(self, source: str, *events: Event) -> None:
        async with self.event_log.publisher(source) as publisher:
            await publisher.publish(events)

    async def publish_bytes(self, topic: str, key: str, value: bytes) -> None:
        """Publish any bytes, as a broken program would."""
        producer = AIOKafkaProducer(bootstrap_servers=self._servers.kafka_bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, key=key.encode())
        finally:
            await producer.stop()

    async def store(self, service: str, key: str, data: bytes) -> None:
        async with open_object_store(Settings.model_validate(self._servers.settings(service))) as store:
            await store.put(key, data)

    async def promote(self, *, tampered: bool = False) -> ModelPromoted:
        """Publish the next promotion; its probabilities for a black picture are its own. Tampered: other bytes are
        stored."""
        self.sequence += 1
        artefact = small_artefact(bias=(self.sequence / 10, 0.0))
        event = promotion(self.sequence, artefact)
        await self.store("trainer", event.artefact_key, artefact[:-1] if tampered else artefact)
        await self.publish("pappus/trainer", event)
        return event

    async def store_image(self, red: int, image_id: UUID) -> ImageStored:
        """Store an image without a trusted label."""
        data = picture(red, 0, 0)
        sha256 = sha256_of(data)
        event = image_stored(
            image_id=image_id, sha256=sha256, object_key=f"images/sha256/{sha256[:2]}/{sha256}", label=None
        )
        await self.store("ingestor", event.object_key, data)
        await self.publish("pappus/ingestor", event)
        return event


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The processes run; there is no model yet."""
    await create_topics(servers.kafka)
    async with AsyncExitStack() as stack:
        event_log = await stack.enter_async_context(open_event_log(servers.kafka))
        url = servers.database_url("predictor")
        database = await stack.enter_async_context(Database.open(url, SCHEMA, MIGRATIONS))
        made = World(servers, event_log, database, tmp_path_factory.mktemp("predictor"))
        made.sequence = reduce(fold, await events_of(event_log, ModelPromoted), Promotions()).sequence
        for process in (made.api, made.worker):
            process.start()
            stack.callback(process.kill)
        for process in (made.api, made.worker):
            await process.until("/livez")
        yield made
