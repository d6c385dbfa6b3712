"""training.requested -> model.trained, with the arithmetic replaced by a double that counts its calls."""

import asyncio
import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from services.trainer.dataset.manifest import Sample, manifest_from_json, manifest_of
from services.trainer.features.parquet import features_key
from services.trainer.full_lane.decisions.plan import plan_manifest, relabel_samples, version_of
from services.trainer.full_lane.handlers import FullLane
from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob, NotEnoughImages, Parameters
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.snapshot import Snapshot
from shared.contract.events import AppliedCorrection, Event, ModelTrained, TrainingRequested, uuid_of
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.runtime.worker_process import ChildDied, WorkerProcess
from shared.testing import FixedClock, MemoryEventLog, MemoryObjectStore, eventually, training_requested

LABELS = ("dandelion", "grass")


class MemoryDataset:
    """Tables in memory; `between_cuts` happens after each cut."""

    def __init__(self, samples: list[Sample], clock: FixedClock) -> None:
        self.samples = {sample.image_id: sample for sample in samples}
        self.models: dict[str, ModelTrained] = {}
        self.champion: str | None = None
        self.between_cuts: Callable[[], None] = lambda: None
        self._clock = clock

    async def take_snapshot(self) -> Snapshot:
        samples = tuple(self.samples.values())
        found = Snapshot(
            samples, {one.sha256: key_of(one.sha256) for one in samples}, {"image.stored/0": 9}, self._clock()
        )
        self.between_cuts()
        return found

    async def trained(self, version: str) -> ModelTrained | None:
        return self.models.get(version)

    async def champion_version(self) -> str | None:
        return self.champion

    async def find_traces(self, causes: Sequence[UUID]) -> list[str]:
        return []


CURVES = {"loss": (0.9, 0.4)}


class CountingTraining:
    """`TrainingSteps` that learn nothing; the artefact is a text about the manifest."""

    def __init__(self) -> None:
        self.learned: list[LearnJob] = []
        self.fitted: list[FitJob] = []
        self.undecodable: tuple[str, ...] = ()
        self.machine = ""
        self.finish = asyncio.Event()
        self.finish.set()

    async def parameters(self) -> Parameters:
        return {"backbone": "none", "format_version": 1}

    async def learn(self, job: LearnJob) -> Learned:
        self.learned.append(job)
        await self.finish.wait()
        return Learned(self.undecodable, {"learn": 1.0})

    async def fit(self, job: FitJob) -> Fitted:
        self.fitted.append(job)
        artefact = f"model of {job.manifest.sha256}{self.machine}".encode()
        weights = hashlib.sha256(artefact).hexdigest()
        metrics = {"test_accuracy": 0.9}
        figures = (metrics, ((1, 0), (0, 1)), (0.7, 0.2), CURVES, {"fit": 2.0})
        return Fitted(artefact, "b" * 64, weights, b"parquet", *figures)


def key_of(sha256: str) -> str:
    return f"images/sha256/{sha256[:2]}/{sha256}"


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def body(number: int) -> bytes:
    return f"picture {number}".encode()


def sample(number: int, **changes: object) -> Sample:
    side = "test" if number // 2 % 5 == 0 else "train"
    digest = hashlib.sha256(body(number)).hexdigest()
    made = Sample(uuid_of(number), digest, LABELS[number % 2], 0, side)  # type: ignore[arg-type]
    return replace(made, **changes)  # type: ignore[arg-type]


class Bench:
    """A full lane with everything around it."""

    def __init__(self, folder: Path, images: int = 20) -> None:
        self.clock = FixedClock()
        self.store = MemoryObjectStore()
        self.store.objects = {key_of(sample(n).sha256): body(n) for n in range(images)}
        self.dataset = MemoryDataset([sample(number) for number in range(images)], self.clock)
        self.training = CountingTraining()
        settings = FullLaneSettings(state_folder=folder)
        self.lane = FullLane(self.dataset, self.store, self.training, settings, self.clock)

    async def train(self, **changes: object) -> ModelTrained | None:
        found = await self.lane.on_training_requested(training_requested(**changes))
        assert len(found) <= 1
        for event in found:
            assert isinstance(event, ModelTrained)
            self.dataset.models.setdefault(event.version, event)
            return event
        return None

    async def model(self, **changes: object) -> ModelTrained:
        found = await self.train(**changes)
        assert found is not None
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_request_leads_to_a_candidate_with_everything_in_the_store(bench: Bench) -> None:
    bench.dataset.champion = "fast-1"
    request = training_requested()
    (event,) = await bench.lane.on_training_requested(request)
    assert isinstance(event, ModelTrained)
    assert event.lane == "full"
    assert event.parent == "fast-1"
    assert event.causes == (request.event_id,)
    assert (event.training_images, event.test_images) == (16, 4)
    artefact = bench.store.objects[event.artefact_key]
    assert hashlib.sha256(artefact).hexdigest() == event.artefact_sha256
    manifest = manifest_from_json(bench.store.objects[event.manifest_key].decode())
    assert manifest.sha256 == event.manifest_sha256
    assert len(manifest.samples) == 20
    assert features_key(event.backbone_id, event.manifest_sha256) in bench.store.objects
    assert event.positions == {"image.stored/0": 9}
    assert event.manifest_cut_at == bench.clock.now
    assert {"caught_up", "download", "learn", "fit", "store", "total"} <= set(event.seconds)


async def test_a_repeated_request_gives_the_same_event_and_trains_nothing(bench: Bench) -> None:
    request = training_requested()
    (first,) = await bench.lane.on_training_requested(request)
    assert isinstance(first, ModelTrained)
    bench.dataset.models[first.version] = first
    (again,) = await bench.lane.on_training_requested(request)
    assert again == first
    assert len(bench.training.learned) == 1


async def test_another_request_for_the_same_images_is_answered_by_the_same_model(bench: Bench) -> None:
    first = await bench.model()
    other = training_requested()
    (again,) = await bench.lane.on_training_requested(other)
    assert isinstance(again, ModelTrained)
    assert again.event_id == first.event_id
    assert again.causes == (*first.causes, other.event_id)
    assert again.model_copy(update={"causes": first.causes}) == first
    assert len(bench.training.learned) == 1


async def test_a_lost_artefact_is_restored_and_announced_again(bench: Bench) -> None:
    first = await bench.model()
    artefact = bench.store.objects.pop(first.artefact_key)
    again = await bench.model()
    assert (again.event_id, again.version) == (first.event_id, first.version)
    assert bench.store.objects[first.artefact_key] == artefact
    assert len(bench.training.learned) == 2


async def test_a_lost_artefact_that_comes_out_otherwise_is_a_model_of_its_own(bench: Bench) -> None:
    first = await bench.model()
    bench.store.objects[first.artefact_key] = b"other bytes"
    bench.training.machine = "another kind of processor"
    other = await bench.model()
    assert other.version != first.version
    assert other.event_id != first.event_id
    assert sha256_of(bench.store.objects[other.artefact_key]) == other.artefact_sha256
    assert bench.store.objects[first.artefact_key] == b"other bytes"


async def test_an_artefact_under_a_foreign_key_is_neither_read_nor_written(bench: Bench) -> None:
    first = await bench.model()
    forged = first.model_copy(update={"artefact_key": "features/precious.parquet"})
    bench.store.objects["features/precious.parquet"] = bench.store.objects[first.artefact_key]
    bench.dataset.models[first.version] = forged
    assert (await bench.model()).version != first.version
    bench.store.objects.pop("features/precious.parquet")
    await bench.model()
    assert "features/precious.parquet" not in bench.store.objects


async def test_two_machines_never_write_the_same_artefact_key(bench: Bench, tmp_path: Path) -> None:
    other = Bench(tmp_path / "another machine")
    other.training.machine = "another kind of processor"
    one, two = await bench.model(), await other.model()
    assert one.version == two.version
    assert one.artefact_key != two.artefact_key


async def test_after_a_crash_in_the_middle_the_same_version_comes_out(bench: Bench, tmp_path: Path) -> None:
    request = training_requested()
    bench.store.objects.pop(key_of(sample(3).sha256))
    (before,) = await bench.lane.on_training_requested(request)
    other = Bench(tmp_path / "another replica")
    other.store.objects.pop(key_of(sample(3).sha256))
    (after,) = await other.lane.on_training_requested(request)
    assert isinstance(before, ModelTrained)
    assert isinstance(after, ModelTrained)
    assert after.model_copy(update={"seconds": before.seconds}) == before


async def test_labels_that_change_during_the_learning_are_those_of_the_model(bench: Bench) -> None:
    corrected = sample(7, label="dandelion", revision=1)
    bench.dataset.between_cuts = lambda: bench.dataset.samples.update({corrected.image_id: corrected})
    event = await bench.model()
    (job,) = bench.training.fitted
    assert corrected in job.manifest.samples
    assert event.manifest_sha256 == job.manifest.sha256
    assert event.corrections == (AppliedCorrection(image_id=corrected.image_id, revision=1),)


async def test_images_that_come_during_the_learning_wait_for_the_next_one(bench: Bench) -> None:
    late = sample(21)
    bench.dataset.between_cuts = lambda: bench.dataset.samples.update({late.image_id: late})
    event = await bench.model()
    assert event.training_images + event.test_images == 20


async def test_an_image_whose_object_is_gone_is_left_out_and_named(bench: Bench) -> None:
    bench.store.objects.pop(key_of(sample(2).sha256))
    bench.store.objects[key_of(sample(4).sha256)] = b"other bytes"
    bench.training.undecodable = (sample(5).sha256,)
    event = await bench.model()
    assert event.missing_images == tuple(sorted(sample(number).image_id for number in (2, 4, 5)))
    assert event.training_images + event.test_images == 17


async def test_images_are_downloaded_once(bench: Bench) -> None:
    await bench.model()
    bench.store.objects = {key: data for key, data in bench.store.objects.items() if not key.startswith("images/")}
    bench.dataset.samples[uuid_of(3)] = sample(3, label="dandelion", revision=1)
    event = await bench.model()
    assert event.missing_images == ()


async def test_without_images_of_each_label_on_both_sides_there_is_no_model(bench: Bench) -> None:
    for number in (1, 11):  # the test images of grass
        del bench.dataset.samples[uuid_of(number)]
    assert await bench.train() is None
    assert bench.training.learned == []
    assert not any(key.startswith("models/") for key in bench.store.objects)


async def test_a_request_for_another_model_is_ignored(bench: Bench) -> None:
    assert await bench.train(model_name="animals") is None


async def test_a_label_that_is_not_configured_stays_out_of_the_manifest(bench: Bench) -> None:
    moss = sample(30, label="moss")
    bench.dataset.samples[moss.image_id] = moss
    event = await bench.model()
    assert event.labels == LABELS
    assert event.training_images + event.test_images == 20
    assert event.missing_images == ()


async def test_the_store_being_away_is_no_missing_image(bench: Bench) -> None:
    bench.store.away = True
    with pytest.raises(TransientError):
        await bench.train()


async def test_a_rebalance_waits_for_the_training_and_repeats_nothing(bench: Bench) -> None:
    bench.training.finish.clear()
    event_log, health = MemoryEventLog(), Health()
    subscriptions = [subscribe(TrainingRequested, bench.lane.on_training_requested)]
    running = asyncio.ensure_future(
        run_handlers(
            event_log,
            group="trainer-full",
            source="pappus/jobs",
            subscriptions=subscriptions,
            health=health,
            retry=RetryPolicy(attempts=2),
        )
    )
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([training_requested()])
        await eventually(lambda: len(bench.training.learned) == 1)
        joining = asyncio.ensure_future(_come_and_go(event_log))
        assert event_log.events(ModelTrained) == []
        bench.training.finish.set()
        await joining
        await eventually(lambda: sum(event_log.committed("trainer-full").values()) == 1)
    assert len(event_log.events(ModelTrained)) == 1
    assert len(bench.training.learned) == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def _come_and_go(event_log: MemoryEventLog) -> None:
    async with event_log.group("trainer-full", [TrainingRequested.topic]):
        """A second member: the first one answers the rebalance, although it is training."""


def test_the_version_is_that_of_the_manifest_and_the_parameters() -> None:
    manifest = manifest_of(sample(number) for number in range(10))
    version = version_of(manifest, LABELS, {"kappa": 10.0})
    assert version == version_of(manifest_of(reversed(manifest.samples)), LABELS, {"kappa": 10.0})
    assert version != version_of(manifest, LABELS, {"kappa": 6.0})
    assert version != version_of(manifest, ("grass", "dandelion"), {"kappa": 10.0})
    toggled = [replace(one, revision=2) if one.image_id == uuid_of(1) else one for one in manifest.samples]
    assert version != version_of(manifest_of(toggled), LABELS, {"kappa": 10.0})


@pytest.mark.slow
def test_the_process_that_talks_to_kafka_does_not_import_torch() -> None:
    code = "import sys, services.trainer.full_lane.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_images_are_named_by_label_and_side() -> None:
    only_training = [one for one in map(sample, range(20)) if one.side == "train"]
    with pytest.raises(NotEnoughImages, match="no test image of dandelion, no test image of grass"):
        plan_manifest(only_training, LABELS, ())


def test_relabelling_keeps_the_images_of_the_manifest() -> None:
    manifest = manifest_of(sample(number) for number in range(4))
    current = [sample(1, label="dandelion", revision=3), sample(2), sample(9)]
    assert relabel_samples(manifest, current) == current[:2]
    assert UUID(int=0) not in {one.image_id for one in manifest.samples}


async def test_a_request_whose_child_dies_three_times_is_a_dead_letter(tmp_path: Path) -> None:
    bench, event_log = Bench(tmp_path), MemoryEventLog()
    killing, harmless = training_requested(), training_requested()
    deaths: list[UUID] = []

    async def on_training_requested(event: TrainingRequested) -> Sequence[Event]:
        if event.event_id != killing.event_id:
            return await bench.lane.on_training_requested(event)
        deaths.append(event.event_id)
        with WorkerProcess("os") as child:
            await child.call("kill", child.pid, signal.SIGKILL)
        raise AssertionError("the child lives")

    async def one_life() -> None:
        await run_handlers(
            event_log,
            group="test",
            source="pappus/jobs",
            subscriptions=[subscribe(TrainingRequested, on_training_requested)],
            health=Health(),
        )

    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([killing, harmless])
    for _ in range(2):
        with pytest.raises(ChildDied, match="lack of memory"):
            await one_life()
    task = asyncio.create_task(one_life())
    await eventually(lambda: event_log.events(ModelTrained))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    [dead_letter] = event_log.dead_letters(TrainingRequested.topic)
    assert (dead_letter.offset, dead_letter.error, dead_letter.attempts) == (0, "ChildDied", 3)
    assert len(deaths) == 3
