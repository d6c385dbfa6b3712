"""A small world for the trainer: coloured squares, a backbone that sees a 3 x 3 grid of colours, and its processes'
parts on a log in memory, a real PostgreSQL and an object store in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import BytesIO
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from services.trainer.data import queries
from services.trainer.data.kept_labels import KeptLabels
from services.trainer.data.projection import MIGRATIONS, TOPICS, trainer_projection
from services.trainer.dataset.manifest import Sample, manifest_of
from services.trainer.dataset.records import ModelRow
from services.trainer.fast_lane.reconciler import FastLane, run_fast_lane
from services.trainer.features.source import FeatureCache, FeatureSource
from services.trainer.full_lane.views import make_views
from services.trainer.gate.cases import GateContext
from services.trainer.gate.decisions.trials import TrialSettings
from services.trainer.gate.decisions.verdict import GateSettings
from services.trainer.gate.decisions.watching import WatchSettings
from services.trainer.gate.evaluation_data import keep_asked
from services.trainer.gate.evaluator import Evaluator
from services.trainer.gate.handlers import GateHandlers
from services.trainer.gate.settings import GateProcessSettings
from services.trainer.gate.trials import TrialWatch
from services.trainer.gate.watch import PromotionWatch
from services.trainer.model.correction_layer import empty_layer
from services.trainer.model.head import Head
from services.trainer.model.layer_space import LayerSpace, fit_geometry
from services.trainer.model.onnx_artefact import assemble
from services.trainer.model.sessions import FeatureExtractor, mirror
from services.trainer.settings import TrainerSettings
from services.trainer.training.logistic_regression import fit_head
from shared.contract.artefact import ArtefactMetadata, artefact_key
from shared.contract.events import (
    AppliedCorrection,
    Event,
    ImageStored,
    LabelCorrected,
    ModelPromoted,
    ModelRejected,
    ModelTrained,
    PromotionRequested,
    uuid_of,
)
from shared.contract.split import Side, side
from shared.messaging.event_log import EventLog, Publisher
from shared.runtime.clock import utc_now
from shared.runtime.health import Health
from shared.storage.object_store import ObjectStore
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up
from shared.testing import eventually, image_stored, label_corrected, model_trained, promotion_requested

LABELS = ("dandelion", "grass")
COLOURS = {"dandelion": (235, 205, 30), "grass": (40, 150, 60)}
WIDTH = 27
_numbers = count(1)


async def read_candidates(database: Database) -> list[ModelRow]:
    """Return every candidate and its verdicts, oldest first."""
    rows = await database.fetch("SELECT version FROM candidates ORDER BY trained_at, version")
    found = [await queries.model(database, row["version"]) for row in rows]
    return [row for row in found if row is not None]


def backbone() -> bytes:
    """Return a backbone of mean colours of a 3 x 3 grid, centred: [b, 96, 96, 3] -> [b, 27]."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "middle"], ["centred"]),
        helper.make_node("Mul", ["centred", "unit"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels"], ["grid"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Flatten", ["grid"], ["features"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(1 / 128, np.float32), "unit"),
        numpy_helper.from_array(np.array(128, np.float32), "middle"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 96, 96, 3])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", WIDTH])
    graph = helper.make_graph(nodes, "grid", [image], [features], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString(deterministic=True))


def picture(shows: str, seed: int) -> NDArray[np.uint8]:
    """Return uint8 [96, 96, 3]: nine squares of random colours, the middle one in the colour of what it shows."""
    grid = np.random.default_rng(seed).integers(0, 255, (3, 3, 3), dtype=np.uint8)
    grid[1, 1] = COLOURS[shows]
    return grid.repeat(32, 0).repeat(32, 1)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return the pixels as a file."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Stored:
    """An image of the world: its event, its pixels, and what it shows."""

    event: ImageStored
    pixels: NDArray[np.uint8]
    shows: str

    @property
    def image_id(self) -> UUID:
        return self.event.image_id

    def sample(self, label: str | None = None, revision: int = 0) -> Sample:
        """Return the image as it stands in a manifest."""
        return Sample(
            self.image_id, self.event.sha256, label or self.event.label or "", revision, side(self.event.group_id)
        )


def group_on(wanted: Side) -> str:
    """Return the name of a near-duplicate group that falls on this side."""
    return next(name for number in _numbers if side(name := f"group-{number}") == wanted)


@dataclass
class World:
    """Images, models and people; publishes what they do. A test sees the same pictures each time."""

    event_log: EventLog
    database: Database
    store: ObjectStore
    publisher: Publisher
    images: list[Stored] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def publish(self, *events: Event) -> None:
        await self.publisher.publish(events)

    async def image(self, shows: str, where: Side = "train", says: str | None = None, **changes: Any) -> Stored:
        """Store a picture and say so; `says` is its registered label if it is another one."""
        pixels = changes.pop("pixels", None)
        pixels = picture(shows, next(self.numbers)) if pixels is None else pixels
        data = png(pixels)
        digest = sha256(data).hexdigest()
        event = image_stored(sha256=digest, label=says or shows, group_id=group_on(where), **changes)
        await self.store.put(event.object_key, data)
        await self.publish(event)
        self.images.append(stored := Stored(event, pixels, shows))
        return stored

    async def dataset(self, train: int = 40, test: int = 20) -> None:
        """Store as many images on each side, half of each class."""
        for where, number in (("train", train), ("test", test)):
            for index in range(number):
                await self.image(LABELS[index % 2], "train" if where == "train" else "test")

    async def correct(self, image: Stored, label: str, revision: int = 1, **changes: Any) -> LabelCorrected:
        """Set a label, as a person does."""
        changes.setdefault("occurred_at", utc_now())
        event = label_corrected(
            image_id=image.image_id, label_from=image.event.label, label_to=label, revision=revision, **changes
        )
        await self.publish(event)
        return event

    async def request(self, action: str, version: str | None = None, reason: str = "because") -> PromotionRequested:
        """Ask the gate as a person does."""
        request = promotion_requested(
            action=action, version=version, requested_by="carla", reason=reason, occurred_at=utc_now()
        )
        await self.publish(request)
        return request

    async def ask(
        self, action: str, version: str | None = None, reason: str = "because"
    ) -> ModelPromoted | ModelRejected:
        """Ask the gate as a person does, and wait for the answer."""
        return await self.verdict(await self.request(action, version, reason))

    def pixels(self) -> NDArray[np.uint8]:
        """Return the images, uint8 [n, 96, 96, 3]."""
        return np.stack([image.pixels for image in self.images])

    async def full(
        self, head: Head | None = None, corrections: tuple[LabelCorrected, ...] = (), **changes: Any
    ) -> ModelTrained:
        """Train in full on the images as they are; `head` replaces what it learns. `space`: whether correction layers
        lie in one; without, the artefact is one of format 1."""
        extractor = FeatureExtractor(backbone())
        shown = {one.image_id: one for one in corrections}
        samples = [
            image.sample(shown[image.image_id].label_to, shown[image.image_id].revision)
            if image.image_id in shown
            else image.sample()
            for image in self.images
        ]
        train = [(image, sample) for image, sample in zip(self.images, samples, strict=True) if sample.side == "train"]
        features = extractor.features(np.stack([image.pixels for image, _ in train]))
        learned = head or fit_head(features, [sample.label for _, sample in train], LABELS, inverse_penalty=1.0).head
        manifest = manifest_of(samples)
        identity = sha256(backbone()).hexdigest()
        metadata = ArtefactMetadata(LABELS, "grid", identity, manifest.sha256, input_size=96, kappa=10.0)
        layer = empty_layer(WIDTH, len(LABELS), *self._space(changes.pop("space", True)))
        artefact = assemble(backbone(), learned, layer, replace(metadata, format_version=2 if layer.space else 1)).data
        version = changes.pop("version", f"full-{next(self.numbers)}")
        key = artefact_key(version, sha256(artefact).hexdigest())
        await self.store.put(key, artefact)
        await self.store.put(f"manifests/{manifest.sha256}.json", manifest.json.encode())
        values: dict[str, Any] = {
            "version": version,
            "artefact_key": key,
            "artefact_sha256": sha256(artefact).hexdigest(),
            "backbone_id": identity,
            "manifest_key": f"manifests/{manifest.sha256}.json",
            "manifest_sha256": manifest.sha256,
            "training_images": len(train),
            "test_images": len(samples) - len(train),
            "corrections": tuple(
                AppliedCorrection(image_id=one.image_id, revision=one.revision) for one in corrections
            ),
            "occurred_at": utc_now(),
            "event_id": uuid_of("model.trained", version),
        }
        event = model_trained(**{**values, **changes})
        await self.publish(event)
        return event

    def _space(self, wanted: bool) -> tuple[LayerSpace | None, float, float]:
        """Return the space of the images' features as the full lane fits it, with kappa and end of its kernel."""
        pixels = np.stack([image.pixels for image in self.images])
        extractor = FeatureExtractor(backbone())
        features, mirrored = extractor.features(pixels), extractor.features(mirror(pixels))
        views = extractor.features(make_views(pixels))
        geometry = fit_geometry(features, mirrored, features, range(len(pixels)), views)
        return (geometry.space, geometry.kappa, geometry.end) if wanted and geometry is not None else (None, 40.0, 0.0)

    async def verdict(self, cause: Event) -> ModelPromoted | ModelRejected:
        """Return the verdict that counts for a candidate or a request, as soon as there is one."""

        async def there() -> ModelPromoted | ModelRejected | None:
            return await queries.verdict_on(self.database, cause.event_id)

        answer = await eventually(there)
        assert answer is not None
        return answer

    async def champion(self) -> queries.Champion:
        """Return the champion, which must exist."""
        await wait_until_caught_up(self.event_log, self.database, TOPICS, 10)
        champion = await queries.champion(self.database)
        assert champion is not None
        return champion

    async def live(self, *corrections: LabelCorrected, timeout_seconds: float = 20.0) -> queries.Champion:
        """Return the champion, once it holds these corrections."""
        wanted = {(one.image_id, one.revision) for one in corrections}

        async def there() -> queries.Champion | None:
            champion = await queries.champion(self.database)
            if champion is None:
                return None
            return champion if wanted <= {(one.image_id, one.revision) for one in champion.model.held} else None

        champion = await eventually(there, timeout_seconds)
        assert champion is not None
        return champion


@dataclass
class Parts:
    """The parts of the trainer's processes, built on a world."""

    world: World
    health: Health = field(default_factory=Health)
    settings: TrainerSettings = field(default_factory=lambda: TrainerSettings(reconcile_seconds=1.0))
    limits: GateSettings = field(default_factory=lambda: GateSettings(least_changes=1))
    """One new image is reason enough here, so that tests need not store ten."""
    watching: WatchSettings = field(default_factory=WatchSettings)
    trying: TrialSettings = field(default_factory=TrialSettings)

    def source(self) -> FeatureSource:
        return FeatureSource(self.world.store, FeatureCache(1000))

    def keeper(self, publisher: Publisher | None = None, full: bool = True) -> GateHandlers:
        """Return the handlers of a gate; `publisher` may do something else in between."""
        world, context = self.world, self._context(self.evaluator())
        return GateHandlers(world.event_log, publisher or world.publisher, context, self.settings, full)

    def evaluator(self) -> Evaluator:
        world = self.world
        return Evaluator(world.database, world.store, self.source(), self.kept(), self.limits, self.settings.labels)

    def kept(self) -> KeptLabels:
        """Return what a gate keeps in memory of the tables."""
        return keep_asked(self.world.database, self.watching)

    def _context(self, evaluator: Evaluator) -> GateContext:
        return GateContext(self.world.database, evaluator, utc_now, self.limits.approval, self.trying)

    def lane(self) -> FastLane:
        labels = self.settings.labels
        return FastLane(self.world.database, self.world.store, self.source(), self.health, utc_now, labels)

    async def projection(self) -> None:
        world = self.world
        await trainer_projection(world.event_log, world.database, self.health, silence_seconds=10).run()

    async def gate(self) -> None:
        async with asyncio.TaskGroup() as group:
            for full in (False, True):
                group.create_task(self.keeper(full=full).run(self.health))

    async def watch(self) -> None:
        await self.promotion_watch().run(self.health)

    async def trials(self) -> None:
        await self.trial_watch().run(self.health)

    def trial_watch(self, publisher: Publisher | None = None) -> TrialWatch:
        """Return what looks at trials."""
        world, context = self.world, self._context(self.evaluator())
        return TrialWatch(world.event_log, publisher or world.publisher, context, self.settings)

    def promotion_watch(self, publisher: Publisher | None = None) -> PromotionWatch:
        """Return what looks after promotions."""
        world, context = self.world, self._context(self.evaluator())
        settings = GateProcessSettings(gate=self.limits, watch=self.watching)
        return PromotionWatch(context, publisher or world.publisher, world.store, self.source(), self.kept(), settings)

    async def fast(self) -> None:
        world = self.world
        await run_fast_lane(self.lane(), world.event_log, world.publisher, world.database, self.health, self.settings)

    @asynccontextmanager
    async def running(self, *names: str) -> AsyncIterator[None]:
        """Run the parts with these names; one that fails fails the test."""
        async with AsyncExitStack() as stack:
            tasks = [asyncio.create_task(getattr(self, name)(), name=name) for name in names]
            stack.push_async_callback(_end, tasks)
            yield


async def _end(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


@asynccontextmanager
async def open_world(event_log: EventLog, database_url: str, store: ObjectStore) -> AsyncIterator[World]:
    """Yield a world with a schema of its own, dropped afterwards."""
    schema = f"trainer_{uuid4().hex[:12]}"
    async with (
        Database.open(database_url, schema, MIGRATIONS) as database,
        event_log.publisher("pappus/jobs") as publisher,
    ):
        yield World(event_log, database, store, publisher)
        await database.execute(f"DROP SCHEMA {schema} CASCADE")
