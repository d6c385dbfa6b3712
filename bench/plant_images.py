"""Make a running stack as large as one that has been used for years: labelled images and their features are planted.

    python -m bench.plant_images --state .pappus --images 100000

Each planted image has its image.stored, an object in the store, and a row in a file of features under the backbone in
service: between those of two photographs with one label, so that the model answers most of them rightly. Then
`bench.correction_to_live` and `bench.burst_of_corrections` measure what they measure on a small stack. No full training
is asked for meanwhile: stop the trigger (`pappus stop trainer-trigger`) before, and leave it stopped, since
nothing here is a photograph.
"""

import argparse
import asyncio
import time
from functools import partial
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import numpy as np

from pappus.demo.drawing import draw
from pappus.stack import LocalServers, Stack
from services.ingestor.data import projection as of_ingestor
from services.labeler.data import projection as of_labeler
from services.trainer.data import projection as of_trainer
from services.trainer.data import queries
from services.trainer.data.known_models import KnownModels
from services.trainer.dataset.records import Champion
from services.trainer.features.parquet import features_key, read_features, write_features
from services.trainer.model.arrays import Floats, Vector
from shared.contract.events import ImageStored, uuid_of
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
        found, labels = await _photographs(store, database, champion)
        planted = _between(found, labels, images)
        pictures = {digest: data for digest, data, _, _ in planted}
        key = features_key(champion.model.backbone_id, sha256(uuid4().bytes).hexdigest())
        await store.put(key, write_features(list(pictures), np.stack([vector for _, _, vector, _ in planted])))
        await _put(store, pictures)
        print(f"{images} objects and their features: {time.monotonic() - started:.0f} s", flush=True)
        started = time.monotonic()
        await _announce(event_log, [(digest, len(data), label) for digest, data, _, label in planted])
        print(f"announced: {time.monotonic() - started:.0f} s", flush=True)
        for service in SERVICES:
            url = servers.database_url(service.SCHEMA)
            async with Database.open(url, service.SCHEMA, service.MIGRATIONS) as tables:
                await retrying(UNTIL_CANCELLED, partial(wait_until_caught_up, event_log, tables, TOPICS, 600.0))
            print(f"the tables of {service.SCHEMA} show them: {time.monotonic() - started:.0f} s", flush=True)


async def _photographs(store: ObjectStore, database: Database, champion: Champion) -> tuple[Floats, list[str]]:
    """Return features [n, d] and labels of the images that the model in service was made from."""
    label_of = {sample.sha256: sample.label for sample in await queries.labelled_samples(database)}
    vectors: dict[str, Vector] = {}
    for key in await store.keys(f"features/{champion.model.backbone_id}/"):
        vectors |= read_features(await store.get(key))
    known = [digest for digest in vectors if digest in label_of]
    return np.stack([vectors[digest] for digest in known]), [label_of[digest] for digest in known]


def _between(found: Floats, labels: list[str], images: int) -> list[tuple[str, bytes, Floats, str]]:
    """Return sha256, bytes, features [d] and label of each planted image. Its bytes are a drawing with a number after
    its end, which no decoder looks at."""
    chance, names = np.random.default_rng(time.time_ns()), sorted(set(labels))
    rows = {name: [row for row, label in enumerate(labels) if label == name] for name in names}
    drawn = [draw(name, 0, 1) for name in names]
    planted = []
    for number in range(images):
        at = number % len(names)
        one, other = found[chance.choice(rows[names[at]], 2)]
        share = np.float32(chance.uniform(0.2, 0.8))
        data = drawn[at] + uuid4().bytes
        planted.append((sha256(data).hexdigest(), data, share * one + (1 - share) * other, names[at]))
    return planted


async def _put(store: ObjectStore, pictures: dict[str, bytes]) -> None:
    waiting = iter(pictures.items())

    async def put() -> None:
        for digest, data in waiting:
            await store.put(_object_key(digest), data, "image/jpeg")

    await asyncio.gather(*(put() for _ in range(AT_ONCE)))


def _object_key(digest: str) -> str:
    return f"images/sha256/{digest[:2]}/{digest}"


async def _announce(event_log: EventLog, planted: list[tuple[str, int, str]]) -> None:
    async with event_log.publisher("pappus/ingestor") as publisher:
        for at in range(0, len(planted), A_BATCH):
            events = []
            for digest, size, label in planted[at : at + A_BATCH]:
                image_id = uuid4()
                events.append(
                    ImageStored(
                        event_id=uuid_of("image.stored", image_id),
                        occurred_at=utc_now(),
                        image_id=image_id,
                        sha256=digest,
                        object_key=_object_key(digest),
                        size_bytes=size,
                        width=96,
                        height=96,
                        image_format="jpeg",
                        perceptual_hash=digest[:16],
                        group_id=digest[:16],
                        label=label,
                        trust="seed",
                        registered_by="bench",
                        pixels_sha256=digest,
                    )
                )
            await publisher.publish(events)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--state", type=Path, default=Path(".pappus"))
    arguments.add_argument("--images", type=int, default=100_000)
    options = arguments.parse_args()
    asyncio.run(plant(options.state, options.images))
