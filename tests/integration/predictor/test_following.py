"""A replica and the worker on real Kafka, PostgreSQL and S3. The tests run in this order, each on what the last one
left."""

import asyncio
import signal
from dataclasses import replace
from uuid import UUID, uuid4

import httpx2
import pytest

from services.predictor.data.projection import replay_plan
from shared.contract.events import ModelPromoted
from shared.contract.image_scored import ImageScored, ScoredAnswer
from shared.contract.replicas import AnswersLogged, ModelLoaded
from shared.tables.dump import canonical_dump
from shared.tables.projection import wait_until_caught_up
from shared.tables.replay import replay
from shared.testing import eventually
from tests.integration.ingestor.running import dead_letters_of, events_of
from tests.integration.predictor.conftest import World
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import METADATA, picture, sha256_of, small_artefact
from tests.unit.shared.artefacts.test_hostile_artefacts import changed, in_the_file, loop, picture_and_model

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]
BLACK = picture(0, 0, 0)


async def predict(client: httpx2.AsyncClient) -> httpx2.Response:
    return await client.post("/predict", files={"file": BLACK})


async def serves(world: World, sequence: int) -> bool:
    async with httpx2.AsyncClient(base_url=world.api.url) as client:
        model = await client.get("/model")
    return model.status_code == 200 and model.json()["sequence"] == sequence


async def announced(world: World) -> list[ModelLoaded]:
    return [event for event in await events_of(world.event_log, ModelLoaded) if event.replica == "api-under-test"]


async def scored(world: World, image_id: object) -> list[ScoredAnswer]:
    """Return what the worker answered about an image, the newest last."""
    events = await events_of(world.event_log, ImageScored)
    return [event.answer for event in events if event.image_id == image_id and event.answer is not None]


async def test_an_image_stored_before_the_first_model_is_scored_once(world: World) -> None:
    image = await world.store_image(200, uuid4())
    first = await world.promote()
    await eventually(lambda: serves(world, first.sequence))
    answer, *again = await eventually(lambda: scored(world, image.image_id))
    assert {each.prediction_id for each in again} <= {answer.prediction_id}
    assert (answer.model_version, answer.sha256) == (first.version, image.sha256)
    assert answer.full_model_sha256 == first.artefact_sha256


async def test_the_model_in_service_is_published(world: World) -> None:
    async def said() -> bool:
        return any((each.outcome, each.sequence) == ("serving", world.sequence) for each in await announced(world))

    await eventually(said)


async def test_promotions_lose_no_request_and_each_answer_fits_its_version(world: World) -> None:
    responses: list[httpx2.Response] = []
    over = asyncio.Event()

    async def steadily() -> None:
        async with httpx2.AsyncClient(base_url=world.shared_url) as client:
            while not over.is_set():
                responses.append(await predict(client))

    async def promotions() -> None:
        for _ in range(8):
            promoted = await world.promote()
            await eventually(lambda: serves(world, promoted.sequence))  # noqa: B023 - asked within this round only
        over.set()

    await asyncio.gather(steadily(), steadily(), promotions())
    assert {response.status_code for response in responses} == {200}
    bodies = [response.json() for response in responses]
    answers = {(body["model_sequence"], body["model_version"], body["probabilities"]["dandelion"]) for body in bodies}
    assert len(answers) == len({sequence for sequence, _, _ in answers}) > 4

    async def all_logged() -> bool:
        logged = {str(prediction_id) for prediction_id in await logged_ids(world)}
        return {body["prediction_id"] for body in bodies} <= logged

    await eventually(all_logged)


async def logged_ids(world: World) -> set[UUID]:
    """Return the ids of all answers on the log."""
    events = await events_of(world.event_log, AnswersLogged)
    return {answer.prediction_id for event in events for answer in event.answers}


async def test_a_stored_image_is_scored_again_by_the_new_full_model(world: World) -> None:
    image = await world.store_image(201, uuid4())
    await eventually(lambda: scored(world, image.image_id), 60)
    promoted = await world.promote()

    async def scored_again() -> bool:
        return (await scored(world, image.image_id))[-1].full_model_sha256 == promoted.artefact_sha256

    await eventually(scored_again, 60)


async def test_forged_promotions_of_a_strangers_files_never_serve(world: World) -> None:
    before, polyglot = world.sequence, picture_and_model()
    uploaded = f"images/sha256/{sha256_of(polyglot)[:2]}/{sha256_of(polyglot)}"
    await world.store("ingestor", uploaded, polyglot)
    credentials = changed(in_the_file("credentials.json"))
    endless, foreign = changed(loop(1 << 62)), small_artefact(metadata=replace(METADATA, labels=("grass", "<script>")))
    for artefact, key, said in (
        (polyglot, uploaded, "no object of that version"),
        (polyglot, None, "other domains"),
        (credentials, None, "lie in another file"),
        (endless, None, "Loop"),
        (foreign, None, "PAPPUS_LABELS"),
    ):
        world.sequence += 1
        forged = promotion(world.sequence, artefact)
        await world.store("trainer", forged.artefact_key, artefact)
        await world.publish("pappus/trainer", forged.model_copy(update={"artefact_key": key or forged.artefact_key}))

        async def refused() -> str | None:
            found = [each for each in await announced(world) if each.wanted_version == forged.version]  # noqa: B023
            return found[-1].detail if found else None

        assert said in (await eventually(refused) or "")
        assert await serves(world, before)
    mended = await world.promote()
    await eventually(lambda: serves(world, mended.sequence))


async def test_an_artefact_with_a_wrong_hash_leaves_the_old_model_in_service(world: World) -> None:
    before = world.sequence
    tampered = await world.promote(tampered=True)

    async def refused() -> ModelLoaded | None:
        found = [each for each in await announced(world) if each.wanted_version == tampered.version]
        return found[-1] if found else None

    event = await eventually(refused)
    assert event is not None
    assert (event.outcome, event.sequence) == ("failed", before)
    assert "sha256" in event.detail
    assert await serves(world, before)
    mended = await world.promote()
    await eventually(lambda: serves(world, mended.sequence))


async def test_following_goes_on_after_a_record_that_is_no_promotion(world: World) -> None:
    await world.publish_bytes(ModelPromoted.topic, "plants", b"not an event")
    promoted = await world.promote()
    await eventually(lambda: serves(world, promoted.sequence))
    dead_letters = await eventually(lambda: dead_letters_of(world.event_log, ModelPromoted.topic))
    assert {dead_letter.value for dead_letter in dead_letters} == {"not an event"}


async def test_after_kill_9_the_replica_serves_the_same_model_again(world: World) -> None:
    world.api.kill()
    world.api.start()
    await eventually(lambda: world.api.answers("/readyz"), 60)
    await eventually(lambda: serves(world, world.sequence))


async def test_after_kill_9_the_worker_scores_each_waiting_image_once(world: World) -> None:
    images = [await world.store_image(red, uuid4()) for red in range(10)]
    world.worker.send(signal.SIGKILL)
    images += [await world.store_image(red, uuid4()) for red in range(10, 20)]
    world.worker.kill()
    world.worker.start()

    async def all_scored() -> bool:
        return all([await scored(world, image.image_id) for image in images])

    await eventually(all_scored, 90)
    ids = {each.prediction_id for image in images for each in await scored(world, image.image_id)}
    assert len(ids) == len(images)


async def test_the_table_is_the_fold_of_the_log_live_and_in_replay(world: World) -> None:
    await wait_until_caught_up(world.event_log, world.database, [AnswersLogged.topic, ImageScored.topic], 60)
    rows = await world.database.fetch("SELECT prediction_id FROM predictions")
    assert {row["prediction_id"] for row in rows} == await logged_ids(world)
    before = await canonical_dump(world.database)
    report = await replay(world.event_log, world.database_url, replay_plan())
    assert report.skipped == 0
    assert await canonical_dump(world.database) == before
