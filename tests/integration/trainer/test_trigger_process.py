"""The trigger as a process, with Faust on a real broker: it asks once, and remembers after kill -9."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.events import Event, ImageStored, TrainingRequested, Trust
from shared.contract.topics import TOPICS, TRIGGER_APP
from shared.messaging.codec import decode
from shared.messaging.kafka import KafkaEventLog, create_topics, group_lag, open_event_log
from shared.testing import eventually, group_on, image_stored, model_trained
from tests.integration.trainer.processes import TrainerProcess

MODULE = "services.trainer.full_trigger"
pytestmark = pytest.mark.timeout(240)


class World:
    """One model with labels of its own, on a log that others use too."""

    def __init__(self, event_log: KafkaEventLog, servers: Servers, folder: Path) -> None:
        name = uuid4().hex[:8]
        self.labels = (f"dandelion-{name}", f"grass-{name}")
        self.model_name = f"plants-{name}"
        own = {"labels": json.dumps(self.labels), "model_name": self.model_name}
        few = {"first_images_per_label": "3", "new_images": "4", "quiet_seconds": "1"}
        self._settings = {**servers.settings("trainer"), **own, **few}
        self.process = self.another(folder)
        self.event_log = event_log
        self._kafka = servers.kafka

    def another(self, folder: Path) -> TrainerProcess:
        """A trigger with the same settings."""
        return TrainerProcess(MODULE, self._settings, folder)

    async def publish(self, *events: Event) -> None:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)

    async def images(self, count: int, trust: Trust = "seed") -> list[ImageStored]:
        made = [
            image_stored(
                label=self.labels[number % 2],
                trust=trust,
                group_id=group_on("train" if number % 4 < 2 else "test", number),
            )
            for number in range(count)
        ]
        await self.publish(*made)
        return made

    async def asked(self) -> list[TrainingRequested]:
        """Return what was asked for this model so far."""
        end = sum((await self.event_log.end_offsets([TrainingRequested.topic])).values())
        found: list[Event] = []
        async with self.event_log.reader([TrainingRequested.topic]) as reader:
            await reader.start_at({})
            while len(found) < end:
                found += [decode(record.topic, record.value) for record in await reader.poll(1.0)]
        return [one for one in found if isinstance(one, TrainingRequested) and one.model_name == self.model_name]

    async def asked_times(self, times: int) -> Sequence[TrainingRequested]:
        async def enough() -> Sequence[TrainingRequested] | None:
            found = await self.asked()
            return found if len(found) >= times else None

        found = await eventually(enough, timeout_seconds=90)
        assert found is not None
        return found

    async def settled(self) -> None:
        """Wait until the trigger has taken everything, and had two ticks' time to think about it."""

        async def nothing_left() -> bool:
            lag = await group_lag(self._kafka, TRIGGER_APP)
            return bool(lag) and not any(events for place, events in lag.items() if not place.topic.endswith("-ticks"))

        await eventually(nothing_left, timeout_seconds=60)


@asynccontextmanager
async def triggering(servers: Servers, folder: Path) -> AsyncIterator[World]:
    await create_topics(servers.kafka)
    async with open_event_log(servers.kafka) as event_log:
        world = World(event_log, servers, folder)
        with world.process:
            await asyncio.to_thread(world.process.wait_until_ready)
            yield world


async def test_it_asks_once_and_remembers_after_a_kill(servers: Servers, tmp_path: Path) -> None:
    async with triggering(servers, tmp_path) as world:
        await world.images(20, trust="claimed")
        first = await world.images(6)
        (request,) = await world.asked_times(1)
        assert request.reason == "first_model"
        assert set(request.causes) == {image.event_id for image in first}
        await world.settled()

        world.process.end(signal.SIGKILL)
        ends = await world.event_log.end_offsets([ImageStored.topic])
        cut = {f"{place.topic}/{place.partition}": end for place, end in ends.items()}
        await world.publish(model_trained(model_name=world.model_name, causes=(request.event_id,), positions=cut))
        world.process.start()
        await asyncio.to_thread(world.process.wait_until_ready)
        await world.images(3)
        await world.settled()
        new = await world.images(1)
        requests = await world.asked_times(2)
        assert [one.reason for one in requests] == ["first_model", "new_images"]
        assert new[0].event_id in requests[1].causes
        assert len(requests[1].causes) == 4
        await world.settled()
        assert len(await world.asked()) == 2
        assert world.process.end(signal.SIGTERM) == 0


async def test_a_second_trigger_stands_by_and_takes_over(servers: Servers, tmp_path: Path) -> None:
    async with triggering(servers, tmp_path) as world:
        with world.another(tmp_path / "second") as second:
            await asyncio.to_thread(second.wait_until_ready)
            await world.images(6)
            (request,) = await world.asked_times(1)
            await world.settled()
            world.process.end(signal.SIGKILL)
            ends = await world.event_log.end_offsets([ImageStored.topic])
            cut = {f"{place.topic}/{place.partition}": end for place, end in ends.items()}
            await world.publish(model_trained(model_name=world.model_name, causes=(request.event_id,), positions=cut))
            new = await world.images(4)
            requests = await world.asked_times(2)
            assert {image.event_id for image in new} == set(requests[1].causes)
            await world.settled()
            assert len(await world.asked()) == 2
            assert second.is_running()


async def test_no_topic_exists_that_is_not_declared(servers: Servers, tmp_path: Path) -> None:
    async with triggering(servers, tmp_path) as world:
        await world.images(6)
        await world.asked_times(1)
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka_bootstrap)
        await admin.start()
        try:
            found = {name for name in await admin.list_topics() if not name.startswith("__")}
        finally:
            await admin.close()
        assert found == {topic.name for topic in TOPICS}
