"""The full lane as a process: from training.requested to a model in the object store, on real servers."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
import pytest
import pytest_asyncio
from PIL import Image

from pappus.stack import Servers
from services.trainer.data.projection import MIGRATIONS, PROJECTORS, SCHEMA
from services.trainer.dataset.manifest import manifest_from_json
from services.trainer.features.parquet import features_key, read_features
from services.trainer.model.sessions import ArtefactSession
from shared.contract.events import ImageStored, ModelTrained, TrainingRequested
from shared.imaging.decoding import decode as decode_image
from shared.imaging.preprocessing import prepare
from shared.messaging.codec import decode
from shared.messaging.kafka import KafkaEventLog, create_topics, open_event_log
from shared.runtime.health import Health
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.tables.database import Database
from shared.tables.projection import Projection
from shared.testing import eventually, image_stored, label_corrected, training_requested
from tests.integration.trainer.processes import ROOT, TrainerProcess
from tests.integration.trainer.trainer_env import group_on
from tests.integration.trainer.trainer_env import picture as world_picture

MODULE = "services.trainer.full_lane"
SMALL = '{"pairs": 8, "dimensions": 12, "sampled_patches": 2000, "iterations": 3}'
REPLICA = "trainer-full-test"
"""One name: a member under another one would wait until the broker gives up the one before."""
pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


class Plants:
    """Images with two labels of their own, in the real store and the real log."""

    def __init__(
        self, event_log: KafkaEventLog, ingestor: ObjectStore, trainer: ObjectStore, projection: asyncio.Future[None]
    ) -> None:
        name = uuid4().hex[:8]
        self.event_log = event_log
        self.store = trainer
        self.labels = (f"dandelion-{name}", f"grass-{name}")
        self.model_name = f"plants-{name}"
        self.bytes: dict[str, bytes] = {}
        self._ingestor = ingestor
        self._projection = projection

    async def grow(self, count: int = 40) -> list[ImageStored]:
        """Add new pictures of both, every fifth pair on the test side."""
        events = []
        for number in range(len(self.bytes), len(self.bytes) + count):
            file = BytesIO()
            Image.fromarray(world_picture(("dandelion", "grass")[number % 2], number)).save(file, "PNG")
            digest = hashlib.sha256(file.getvalue()).hexdigest()
            group = group_on("test" if number // 2 % 5 == 0 else "train")
            event = image_stored(sha256=digest, label=self.labels[number % 2], group_id=group)
            await self._ingestor.put(event.object_key, file.getvalue())
            self.bytes[digest] = file.getvalue()
            events.append(event)
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)
        return events

    async def request(self) -> TrainingRequested:
        event = training_requested(model_name=self.model_name)
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([event])
        return event

    async def trained(self, at_least: int = 1) -> list[ModelTrained]:
        """Return the candidates of this model, once there are so many."""
        async with self.event_log.reader([ModelTrained.topic]) as reader:
            await reader.start_at({})
            found: list[ModelTrained] = []

            async def enough() -> bool:
                if self._projection.done():
                    self._projection.result()  # says why nothing is folded any more
                events = [decode(record.topic, record.value) for record in await reader.poll(0.2)]
                found.extend(
                    one for one in events if isinstance(one, ModelTrained) and one.model_name == self.model_name
                )
                return len(found) >= at_least

            await eventually(enough, timeout_seconds=180)
        return found


@asynccontextmanager
async def growing(servers: Servers) -> AsyncIterator[Plants]:
    """Yield the world, with the projection that the fast lane's process would run."""
    await create_topics(servers.kafka)
    ingestor, trainer = (Settings.model_validate(servers.settings(name)) for name in ("ingestor", "trainer"))
    async with (
        open_event_log(servers.kafka) as event_log,
        open_object_store(ingestor) as writable,
        open_object_store(trainer) as store,
        Database.open(trainer.database_dsn, SCHEMA, MIGRATIONS) as database,
    ):
        projection = asyncio.ensure_future(Projection(event_log, database, PROJECTORS, Health()).run())
        try:
            yield Plants(event_log, writable, store, projection)
        finally:
            projection.cancel()
            await asyncio.gather(projection, return_exceptions=True)


def process_for(plants: Plants, servers: Servers, folder: Path) -> TrainerProcess:
    labels = str(list(plants.labels)).replace("'", '"')
    own = {"labels": labels, "model_name": plants.model_name, "backbone_settings": SMALL, "replica": REPLICA}
    return TrainerProcess(MODULE, {**servers.settings("trainer"), **own}, folder)


async def lineage(servers: Servers, folder: Path, *question: str) -> dict[str, Any]:
    """Return the answer of `python -m services.trainer.lineage`."""
    named = {f"PAPPUS_{name.upper()}": value for name, value in servers.settings("trainer").items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.trainer.lineage", *question),
        cwd=ROOT,
        env={**os.environ, **named, "PAPPUS_STATE_FOLDER": str(folder / "state")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    lines = [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]
    answers = [line["answer"] for line in lines if line["event"] == "answered"]
    assert len(answers) == 1, out.decode()[-3000:]
    return dict(answers[0])


async def kept(store: ObjectStore) -> list[str]:
    """Return the keys of all that a trainer may write."""
    return [key for prefix in ("models/", "manifests/", "features/") for key in await store.keys(prefix)]


@dataclass
class Lane:
    """A full lane that has made its first model."""

    plants: Plants
    process: TrainerProcess
    images: list[ImageStored]
    request: TrainingRequested
    first: ModelTrained


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lane(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lane]:
    """One process for all tests, which follow each other."""
    async with growing(servers) as plants:
        with process_for(plants, servers, tmp_path_factory.mktemp("full-lane")) as process:
            images = await plants.grow()
            request = await plants.request()
            (first,) = await plants.trained()
            yield Lane(plants, process, images, request, first)


async def test_a_request_becomes_a_model_that_answers(lane: Lane) -> None:
    plants, event, images = lane.plants, lane.first, lane.images
    assert event.causes == (lane.request.event_id,)
    assert event.training_images + event.test_images == len(images)
    artefact = await plants.store.get(event.artefact_key)
    assert hashlib.sha256(artefact).hexdigest() == event.artefact_sha256
    pixels = np.stack([prepare(decode_image(plants.bytes[one.sha256])) for one in images])
    answers = ArtefactSession(artefact).predict(pixels).probabilities.argmax(axis=1)
    right = [plants.labels[answer] == image.label for answer, image in zip(answers, images, strict=True)]
    assert np.mean(right) > 0.8
    manifest = manifest_from_json((await plants.store.get(event.manifest_key)).decode())
    assert {sample.image_id for sample in manifest.samples} == {image.image_id for image in images}
    features = read_features(await plants.store.get(features_key(event.backbone_id, event.manifest_sha256)))
    assert set(features) >= {image.sha256 for image in images}
    assert event.positions
    assert event.metrics["parity_difference"] <= 1e-4


async def test_the_model_comes_out_the_same_when_it_is_made_again(lane: Lane, servers: Servers, tmp_path: Path) -> None:
    before = await kept(lane.plants.store)

    answer = await lineage(servers, tmp_path, "reproduce", lane.first.version)

    assert (answer["same"], answer["findings"]) == (True, []), answer
    assert answer["made"] == answer["recorded"]
    assert "byte for byte" in answer["sentence"]
    assert await kept(lane.plants.store) == before


async def test_its_images_come_out_as_files_and_a_second_time_nothing_is_written(
    lane: Lane, servers: Servers, tmp_path: Path
) -> None:
    folder = tmp_path / "images"

    first = await lineage(servers, tmp_path, "checkout", lane.first.version, str(folder))
    again = await lineage(servers, tmp_path, "checkout", lane.first.version, str(folder))

    assert (first["written"], first["kept"], first["lost"]) == (len(lane.images), 0, [])
    assert (again["written"], again["kept"]) == (0, len(lane.images))
    found = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*/*/*.png")}
    assert found == {image.sha256 for image in lane.images}


async def test_a_correction_is_held_by_the_next_model(lane: Lane) -> None:
    plants, image = lane.plants, lane.images[0]
    models = len(await plants.trained())
    correction = label_corrected(image_id=image.image_id, label_to=plants.labels[1], revision=1)
    async with plants.event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([correction])
    await plants.request()
    second = (await plants.trained(at_least=models + 1))[-1]
    assert second.version != lane.first.version
    assert [one.image_id for one in second.held] == [image.image_id]
    pixels = np.stack([prepare(decode_image(plants.bytes[image.sha256]))])
    answer = ArtefactSession(await plants.store.get(second.artefact_key)).predict(pixels).probabilities.argmax()
    assert plants.labels[answer] == plants.labels[1]


async def test_a_kill_in_the_middle_repeats_the_request_and_leaves_no_child(lane: Lane) -> None:
    plants, process = lane.plants, lane.process
    models = len(await plants.trained())
    await plants.grow(4)
    await plants.request()
    folder = process.state_folder / "images"
    # The images of this training are there, so its child is at work.
    await eventually(lambda: len(list(folder.glob("*/*"))) == len(plants.bytes), timeout_seconds=60)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.end(signal.SIGKILL)
    psutil.wait_procs(children, timeout=20)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    process.start()
    event = (await plants.trained(at_least=models + 1))[-1]
    await plants.request()
    again = (await plants.trained(at_least=models + 2))[-1]
    assert process.end(signal.SIGTERM) == 0
    assert again.event_id == event.event_id
    assert again.artefact_sha256 == event.artefact_sha256
    assert len(again.causes) == 2
