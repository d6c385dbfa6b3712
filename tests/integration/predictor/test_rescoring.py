"""Stored images are scored again by each new full model: real tables, the log and the object store in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from pappus.stack import Servers
from services.predictor.data.projection import FOLD_VERSION, MIGRATIONS, projectors, replay_plan
from services.predictor.data.stored_images import count_waiting
from services.predictor.metrics import IMAGES_TO_SCORE
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Graph, Model, ParsedArtefact
from services.predictor.worker.rescoring import Rescoring
from services.predictor.worker.scorer import Scorer
from shared.contract.events import Event, ImageStored
from shared.contract.image_scored import ImageScored, ScoredAnswer
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.projection import Projection, wait_until_caught_up
from shared.tables.replay import replay
from shared.testing import (
    MemoryEventLog,
    MemoryObjectStore,
    eventually,
    fresh_schema,
    image_scored,
    image_stored,
    image_withdrawn,
)
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import layer_on, picture, sha256_of, small_artefact

TOPICS = [projector.event.topic for projector in projectors()]
FULL_1, FULL_2 = small_artefact(), small_artefact(bias=(0.5, 0.0))


@dataclass
class World:
    """The tables, folded while a test runs, and what scores: `work()` reconciles as the worker does."""

    event_log: MemoryEventLog
    store: MemoryObjectStore
    database: Database
    in_service: ModelHolder
    sequence: int = 0

    def promote(self, artefact: bytes, base: bytes | None = None) -> ServingModel:
        """Let an artefact serve: a whole one, or a layer on `base`."""
        self.sequence += 1
        bases = {} if base is None else {sha256_of(base): Graph(ParsedArtefact.of(base))}
        serving = ServingModel(promotion(self.sequence, artefact), Model(artefact, bases=bases), NOON)
        self.in_service.swap(serving)
        return serving

    async def image(self, red: int = 200, trust: str = "seed") -> ImageStored:
        """Store an image, and say so."""
        data = picture(red, 0, 0)
        event = image_stored(sha256=sha256_of(data), trust=trust, occurred_at=NOON)
        await self.store.put(event.object_key, data)
        await self.publish(event)
        return event

    async def publish(self, *events: Event) -> None:
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)
        await wait_until_caught_up(self.event_log, self.database, TOPICS, 20)

    def rescoring(self) -> Rescoring:
        """Return the reconciler of one process; it never pauses."""
        scorer = Scorer(self.store, self.in_service, "worker", lambda: NOON)
        hour = NOON + timedelta(hours=1)
        return Rescoring(self.event_log, self.database, scorer, self.in_service, 1.0, lambda: hour)

    @asynccontextmanager
    async def work(self, processes: int = 1) -> AsyncIterator[None]:
        """Run the reconciler of so many processes."""
        async with self.event_log.publisher("pappus/predictor") as publisher:
            running = [
                asyncio.create_task(self.rescoring().run(publisher, Health(), every_seconds=0.1))
                for _ in range(processes)
            ]
            try:
                yield
            finally:
                for each in running:
                    each.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until every image has an answer of the full model in service."""
        serving = self.in_service.current
        assert serving is not None

        async def done() -> bool:
            return not await count_waiting(self.database, serving.full_model_sha256, serving.promotion.sequence)

        await eventually(done)

    def answers(self, image: ImageStored) -> list[ScoredAnswer | None]:
        """Return what the log says about an image, the oldest first."""
        return [event.answer for event in self.event_log.events(ImageScored) if event.image_id == image.image_id]


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    event_log = MemoryEventLog()
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema, schema.open() as database:
        projection = Projection(event_log, database, projectors(), Health(), fold_version=FOLD_VERSION)
        running = asyncio.create_task(projection.run())
        yield World(event_log, MemoryObjectStore(), database, ModelHolder())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def models(answers: Sequence[ScoredAnswer | None]) -> list[str | None]:
    """Return the full model behind each answer."""
    return [None if answer is None else answer.full_model_sha256 for answer in answers]


async def test_each_image_has_one_answer_of_each_full_model(world: World) -> None:
    images = [await world.image(red, trust) for red, trust in ((250, "seed"), (200, "claimed"))]
    async with world.work(processes=2):
        world.promote(FULL_1)
        await world.settled()
        world.promote(layer_on(FULL_1, "models/full-1/m.onnx", [(uuid4(), (1, 0, 0), (0, 9))]), base=FULL_1)
        later = await world.image(150)
        await world.settled()
        world.promote(FULL_2)
        await world.settled()
    for image in images:
        assert models(world.answers(image)) == [sha256_of(FULL_1), sha256_of(FULL_2)]
    assert models(world.answers(later)) == [sha256_of(FULL_1), sha256_of(FULL_2)]
    assert [answer.sequence for answer in world.answers(images[0]) if answer] == [1, 3]


async def test_images_that_people_review_come_first(world: World) -> None:
    world.promote(FULL_1)
    images = [await world.image(red, trust) for red, trust in ((250, "seed"), (200, "claimed"), (150, "seed"))]
    [first, *_] = await world.rescoring().reconcile()
    assert first.image_id == images[1].image_id


async def test_an_image_that_has_just_come_is_left_to_the_handler(world: World) -> None:
    world.promote(FULL_1)
    data = picture(99, 0, 0)
    fresh = image_stored(sha256=sha256_of(data), trust="claimed", occurred_at=NOON + timedelta(hours=1))
    await world.store.put(fresh.object_key, data)
    await world.publish(fresh)
    assert await world.rescoring().reconcile() == []
    world.promote(FULL_1)
    await world.publish(image_scored(image_id=fresh.image_id, full_model_sha256="older", sequence=1))
    assert [event.image_id for event in await world.rescoring().reconcile()] == [fresh.image_id]


async def test_a_restart_in_the_middle_scores_the_rest(world: World) -> None:
    world.promote(FULL_1)
    images = [await world.image(red) for red in (250, 200, 150)]
    found = await world.rescoring().reconcile()
    assert IMAGES_TO_SCORE._value.get() == 3
    await world.publish(found[0])  # the process ended before the others
    rest = await world.rescoring().reconcile()
    assert {event.event_id for event in rest} == {event.event_id for event in found[1:]}
    await world.publish(*rest, *rest)
    assert await world.rescoring().reconcile() == []
    assert {event.image_id for event in world.event_log.events(ImageScored)} == {image.image_id for image in images}


async def test_a_late_answer_of_an_older_model_is_replaced(world: World) -> None:
    image = await world.image()
    world.promote(FULL_1)
    [older] = await world.rescoring().reconcile()
    world.promote(FULL_2)
    [newer] = await world.rescoring().reconcile()
    await world.publish(newer, older)
    [again] = await world.rescoring().reconcile()
    assert again.event_id == newer.event_id
    assert image.image_id == again.image_id


async def test_a_process_that_lags_behind_takes_no_answer_back(world: World) -> None:
    image = await world.image()
    world.promote(FULL_1)
    await world.publish(image_scored(image_id=image.image_id, sequence=2, full_model_sha256=sha256_of(FULL_2)))
    assert await world.rescoring().reconcile() == []
    world.sequence = 2
    world.promote(FULL_1)  # a rollback: a later promotion of the older model
    assert models([event.answer for event in await world.rescoring().reconcile()]) == [sha256_of(FULL_1)]


async def test_a_newer_full_model_takes_over_within_a_round(world: World) -> None:
    world.promote(FULL_1)
    for red in (250, 200, 150):
        await world.image(red)
    rescoring = world.rescoring()

    async def promote_after_the_first(_seconds: float) -> None:
        if world.sequence == 1:
            world.promote(FULL_2)

    rescoring._sleep = promote_after_the_first
    answers = [event.answer for event in await rescoring.reconcile()]
    assert models(answers) == [sha256_of(FULL_1), sha256_of(FULL_2), sha256_of(FULL_2)]


@pytest.mark.parametrize("late", [False, True])
async def test_an_answer_about_a_withdrawn_image_is_taken_back(world: World, late: bool) -> None:
    image = await world.image()
    world.promote(FULL_1)
    [scored] = await world.rescoring().reconcile()
    withdrawn = image_withdrawn(image_id=image.image_id, sha256=image.sha256)
    await world.publish(*([withdrawn, scored] if late else [scored, withdrawn]))
    [end] = await world.rescoring().reconcile()
    assert (end.image_id, end.answer, end.causes) == (image.image_id, None, (withdrawn.event_id,))
    await world.publish(end)
    assert await world.rescoring().reconcile() == []
    world.event_log.compact(ImageScored.topic)
    assert world.answers(image) == [None]


async def test_bytes_that_are_gone_hold_up_no_other_image(world: World) -> None:
    world.promote(FULL_1)
    gone, there = await world.image(250), await world.image(200)
    world.store.objects.pop(gone.object_key)
    rescoring = world.rescoring()
    assert [event.image_id for event in await rescoring.reconcile()] == [there.image_id]
    await world.store.put(gone.object_key, picture(250, 0, 0))
    assert gone.image_id not in {event.image_id for event in await rescoring.reconcile()}
    world.promote(FULL_2)
    assert gone.image_id in {event.image_id for event in await rescoring.reconcile()}


async def test_a_replay_of_a_compacted_topic_gives_the_same_tables(world: World, servers: Servers) -> None:
    ids = [uuid4() for _ in range(3)]
    for sequence in (1, 3, 2):
        await world.publish(*(image_scored(image_id=each, sequence=sequence) for each in ids))
    await world.publish(image_scored(image_id=ids[0], answer=None))
    world.event_log.compact(ImageScored.topic)
    plan = replace(replay_plan(), schema=world.database.schema)
    report = await replay(world.event_log, servers.database_url("postgres"), plan)
    assert (report.differing, report.swapped) == ((), True)
    rows = await world.database.fetch("SELECT image_id, sequence FROM stored_images")
    assert {row["image_id"]: row["sequence"] for row in rows} == {ids[0]: None, ids[1]: 2, ids[2]: 2}
