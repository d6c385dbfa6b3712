"""Make a running stack as large as one that has been used for years: labelled images and their features are planted.

    python -m bench.plant_images --state .pappus --images 100000

Each planted image is a mixture of two photographs with one label. It has its image.stored, an object in the store, and
its row in a file of features under the backbone in service. Then `bench.correction_to_live` and
`bench.burst_of_corrections` measure what they measure on a small stack. Stop the trigger before, and leave it stopped
(`pappus stop trainer-trigger`): mixtures are nothing to learn from.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
from numpy.typing import NDArray

from pappus.stack import LocalServers, Stack
from services.ingestor.data import projection as of_ingestor
from services.labeler.data import projection as of_labeler
from services.trainer.data import projection as of_trainer
from services.trainer.data import queries
from services.trainer.data.artefacts import load_artefact
from services.trainer.data.known_models import KnownModels
from services.trainer.features.parquet import features_key, write_features
from services.trainer.model.arrays import Vector
from services.trainer.model.sessions import FeatureExtractor
from shared.contract.events import ImageStored, uuid_of
from shared.imaging.decoding import decode
from shared.imaging.preprocessing import prepare
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.retry import UNTIL_CANCELLED, retrying
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up

AT_ONCE = 32
A_BATCH = 500
TOPICS = (ImageStored.topic,)
SERVICES = (of_ingestor, of_labeler, of_trainer)


@dataclass(frozen=True)
class Planted:
    """An image that was never uploaded: its bytes, features float32 [d] and label."""

    sha256: str
    data: bytes
    vector: Vector
    label: str

    @property
    def object_key(self) -> str:
        """Where the bytes lie."""
        return f"images/sha256/{self.sha256[:2]}/{self.sha256}"


async def plant(state: Path, images: int) -> None:
    """Plant the images, wait until all services know them, and print how long each part took."""
    stack = Stack(state)
    servers = LocalServers(stack, stack.status(), stack.credentials())
    root = servers.credentials.s3["root"]
    settings = Settings.model_validate(
        {**servers.settings("trainer"), "s3_access_key": root.access_key, "s3_secret_key": root.secret_key}
    )
    async with (
        open_object_store(settings) as store,
        open_event_log(servers.kafka) as event_log,
        Database.open(servers.database_url("trainer"), of_trainer.SCHEMA, of_trainer.MIGRATIONS) as database,
    ):
        champion = await KnownModels(database).champion()
        if champion is None:
            raise SystemExit("No model serves yet: run pappus demo first.")
        started = time.monotonic()
        artefact = await load_artefact(store, champion.model)
        photographs, labels = await _photographs(store, database)
        planted = _between(photographs, labels, FeatureExtractor(artefact.backbone.onnx), images)
        print(f"{images} images and their features: {time.monotonic() - started:.0f} s", flush=True)
        key = features_key(champion.model.backbone_id, sha256(uuid4().bytes).hexdigest())
        await store.put(key, write_features([one.sha256 for one in planted], np.stack([one.vector for one in planted])))
        await _put(store, planted)
        print(f"they are in the store: {time.monotonic() - started:.0f} s", flush=True)
        started = time.monotonic()
        await _announce(event_log, planted)
        print(f"announced: {time.monotonic() - started:.0f} s", flush=True)
        for service in SERVICES:
            url = servers.database_url(service.SCHEMA)
            async with Database.open(url, service.SCHEMA, service.MIGRATIONS) as tables:
                await retrying(UNTIL_CANCELLED, partial(wait_until_caught_up, event_log, tables, TOPICS, 600.0))
            print(f"the tables of {service.SCHEMA} show them: {time.monotonic() - started:.0f} s", flush=True)


async def _photographs(store: ObjectStore, database: Database) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the labelled images, prepared, uint8 [n, 96, 96, 3], and their labels."""
    labelled = await queries.labelled_images(database)
    data = [await store.get(image.object_key) for image in labelled]
    return np.stack([prepare(decode(one)) for one in data]), [image.sample.label for image in labelled]


def _between(images: NDArray[np.uint8], labels: list[str], extractor: FeatureExtractor, wanted: int) -> list[Planted]:
    """Return mixtures of two photographs with one label, and the features that they have as files."""
    chance, names = np.random.default_rng(time.time_ns()), sorted(set(labels))
    rows = {name: [row for row, label in enumerate(labels) if label == name] for name in names}
    planted = []
    for number in range(wanted):
        label = names[number % len(names)]
        one, other = images[chance.choice(rows[label], 2)].astype(np.float32)
        share = chance.uniform(0.2, 0.8)
        mixed = np.round(share * one + (1 - share) * other).astype(np.uint8)
        data = cv2.imencode(".jpg", mixed[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        vector = extractor.features(prepare(decode(data))[None])[0]
        planted.append(Planted(sha256(data).hexdigest(), data, vector, label))
    return planted


async def _put(store: ObjectStore, planted: Sequence[Planted]) -> None:
    waiting = iter(planted)

    async def put() -> None:
        for one in waiting:
            await store.put(one.object_key, one.data, "image/jpeg")

    await asyncio.gather(*(put() for _ in range(AT_ONCE)))


async def _announce(event_log: EventLog, planted: Sequence[Planted]) -> None:
    async with event_log.publisher("pappus/ingestor") as publisher:
        for at in range(0, len(planted), A_BATCH):
            events = []
            for one in planted[at : at + A_BATCH]:
                image_id = uuid4()
                events.append(
                    ImageStored(
                        event_id=uuid_of("image.stored", image_id),
                        occurred_at=utc_now(),
                        image_id=image_id,
                        sha256=one.sha256,
                        object_key=one.object_key,
                        size_bytes=len(one.data),
                        width=96,
                        height=96,
                        image_format="jpeg",
                        perceptual_hash=one.sha256[:16],
                        group_id=one.sha256[:16],
                        label=one.label,
                        trust="seed",
                        registered_by="bench",
                        pixels_sha256=one.sha256,
                    )
                )
            await publisher.publish(events)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--images", type=int, default=100_000)
    options = arguments.parse_args()
    asyncio.run(plant(options.state, options.images))
