"""The monitor as a process, with Faust on a real broker: one alarm for a drift, also after kill -9."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import reduce
from pathlib import Path
from uuid import uuid4

import pytest

from pappus.stack import Servers
from pappus.stack.ports import free_ports
from services.predictor.decisions.promotions import Promotions, fold
from services.predictor.monitor.decisions.pictures import Reference
from shared.contract.events import DriftDetected, Event, ModelPromoted
from shared.messaging.codec import decode_record
from shared.messaging.kafka import KafkaEventLog, create_topics, open_event_log
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.testing import eventually, model_promoted, read_all
from tests.integration.ingestor.running import events_of
from tests.integration.predictor.running import PredictorProcess
from tests.unit.predictor.monitor.references_in_tests import answers, reference
from tests.unit.predictor.small_model import METADATA, sha256_of, small_artefact

pytestmark = pytest.mark.timeout(240)


class World:
    """One model on a log that others use too, its artefact, and monitors."""

    def __init__(self, event_log: KafkaEventLog, servers: Servers, folder: Path) -> None:
        self.model_name = f"plants-{uuid4().hex[:8]}"
        self.version = f"full-{uuid4().hex[:8]}"
        self.event_log = event_log
        self._servers, self._folder = servers, folder

    def monitor(self, name: str) -> PredictorProcess:
        """A monitor of this model, not started."""
        (port,) = free_ports({"health": 0}).values()
        own = {
            "health_port": str(port),
            "state_folder": str(self._folder / name),
            "model_name": self.model_name,
            "replica": name,
        }
        return PredictorProcess("monitor", {**self._servers.settings("predictor"), **own}, self._folder / f"{name}.log")

    async def publish(self, *events: Event) -> None:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)

    async def answer(self, count: int, shift: float = 0.0, seed: int = 2) -> None:
        """Publish answers of this model."""
        made = answers(count, shift=shift, seed=seed, version=self.version)
        await self.publish(*(event.model_copy(update={"model_name": self.model_name}) for event in made))

    async def drifts(self) -> Sequence[DriftDetected]:
        """Return the drifts of this model so far."""
        found = [decode_record(record) for record in await read_all(self.event_log, [DriftDetected.topic])]
        return [one for one in found if isinstance(one, DriftDetected) and one.model_name == self.model_name]

    async def settled(self, monitor: PredictorProcess, answers: int) -> None:
        """Wait until the monitor says that it compared so many answers."""
        await monitor.until("/readyz")
        try:
            await eventually(lambda: monitor.says(f"after {answers} answers"), 90)
        except AssertionError:
            pytest.fail(f"It does not say so: {await monitor.report()}\n{monitor.output[-3000:]}")


@asynccontextmanager
async def world_of(servers: Servers, folder: Path, of: Reference) -> AsyncIterator[World]:
    await create_topics(servers.kafka)
    async with open_event_log(servers.kafka) as event_log:
        world = World(event_log, servers, folder)
        data = small_artefact(metadata=replace(METADATA, drift=of.drift))
        key = f"models/{world.version}/{sha256_of(data)}.onnx"
        async with open_object_store(Settings.model_validate(servers.settings("trainer"))) as store:
            await store.put(key, data, "application/octet-stream")
        promoted_before = await events_of(event_log, ModelPromoted)
        promoted = model_promoted(
            model_name=world.model_name,
            version=world.version,
            artefact_key=key,
            artefact_sha256=sha256_of(data),
            sequence=1 + reduce(fold, promoted_before, Promotions()).sequence,  # the other tests share the log
            lane="full",
        )
        await world.publish(promoted)
        yield world


async def test_a_kill_in_the_middle_of_a_drift_leaves_one_alarm_and_the_state(servers: Servers, tmp_path: Path) -> None:
    async with world_of(servers, tmp_path, reference()) as world:
        monitor = world.monitor("first")
        monitor.start()
        try:
            await world.answer(150)
            await world.settled(monitor, 150)
            assert await world.drifts() == []
            await world.answer(10, shift=1.0, seed=3)
            monitor.send(signal.SIGKILL)
            await monitor.ended()
            await world.answer(40, shift=1.0, seed=4)
            monitor.start()
            await world.settled(monitor, 200)
            (drift,) = await world.drifts()
            assert (drift.statistic, drift.model_version, drift.reference) == (
                "features",
                world.version,
                reference().id,
            )
            monitor.send(signal.SIGKILL)
            await monitor.ended()
            monitor.start()
            await world.answer(20, shift=1.0, seed=5)
            await world.settled(monitor, 220)
            assert len(await world.drifts()) == 1
            monitor.send(signal.SIGTERM)
            assert await monitor.ended() == 0
        finally:
            monitor.kill()


async def test_a_second_monitor_stands_by_and_takes_over(servers: Servers, tmp_path: Path) -> None:
    async with world_of(servers, tmp_path, reference()) as world:
        first, second = world.monitor("first"), world.monitor("second")
        first.start()
        try:
            await world.answer(60)
            await world.settled(first, 60)
            second.start()
            await second.until("/readyz")
            first.send(signal.SIGKILL)
            await asyncio.gather(first.ended(), world.answer(40, seed=3))
            await world.settled(second, 100)
            assert await world.drifts() == []
        finally:
            first.kill()
            second.kill()
