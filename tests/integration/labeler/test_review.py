"""The review queue and its order."""

from uuid import UUID

from services.labeler.data.projection import replay_plan
from shared.contract.image_scored import ImageScored
from shared.tables.replay import replay
from shared.testing import image_scored, image_stored, label_corrected

from .conftest import Labeler


async def order(labeler: Labeler, limit: int = 20) -> list[UUID]:
    """Return the ids in the queue."""
    return [UUID(item["image_id"]) for item in (await labeler.get(f"/review?limit={limit}"))["items"]]


async def test_the_least_certain_image_comes_first_and_says_why(labeler: Labeler) -> None:
    sure, unsure = image_stored(label=None, trust="claimed"), image_stored(label=None, trust="claimed")
    await labeler.publish(
        sure,
        unsure,
        image_scored(image_id=sure.image_id, probabilities={"dandelion": 0.99, "grass": 0.01}),
        image_scored(image_id=unsure.image_id, probabilities={"dandelion": 0.52, "grass": 0.48}),
    )

    queue = await labeler.get("/review")

    assert [UUID(item["image_id"]) for item in queue["items"]] == [unsure.image_id, sure.image_id]
    assert queue["items"][0]["reason"] == "The model is unsure: dandelion, with only 52%."
    assert queue["waiting"] == 2


async def test_a_prediction_against_the_label_comes_before_an_unsure_one(labeler: Labeler) -> None:
    contradicted, unsure = image_stored(label="grass", trust="claimed"), image_stored(label=None, trust="claimed")
    await labeler.publish(
        contradicted,
        unsure,
        image_scored(image_id=contradicted.image_id, probabilities={"dandelion": 0.9, "grass": 0.1}),
        image_scored(image_id=unsure.image_id, probabilities={"dandelion": 0.52, "grass": 0.48}),
    )

    assert await order(labeler) == [contradicted.image_id, unsure.image_id]


async def test_seed_images_come_last_and_reviewed_ones_not_at_all(labeler: Labeler) -> None:
    seed, claimed, done = image_stored(trust="seed"), image_stored(trust="claimed"), image_stored(trust="claimed")
    await labeler.publish(seed, claimed, done, label_corrected(image_id=done.image_id))

    assert await order(labeler) == [claimed.image_id, seed.image_id]


async def test_near_duplicates_do_not_fill_the_queue(labeler: Labeler) -> None:
    shots = [image_stored(trust="claimed", group_id="one flower") for _ in range(3)]
    other = image_stored(trust="claimed")
    probabilities = {"dandelion": 0.51, "grass": 0.49}
    await labeler.publish(
        *shots, other, *(image_scored(image_id=shot.image_id, probabilities=probabilities) for shot in shots)
    )

    assert (await order(labeler, limit=2))[1] == other.image_id


async def test_the_last_answer_on_the_log_is_shown(labeler: Labeler) -> None:
    """Only that one is sure to stay there."""
    stored = image_stored(label=None, trust="claimed")
    later = image_scored(image_id=stored.image_id, model_version="v2", sequence=2)
    await labeler.publish(stored, later)
    await labeler.publish(image_scored(image_id=stored.image_id, model_version="v1", sequence=1))
    assert (await labeler.get(f"/images/{stored.image_id}"))["prediction"]["model_version"] == "v1"

    await labeler.publish(later)
    assert (await labeler.get(f"/images/{stored.image_id}"))["prediction"]["model_version"] == "v2"


async def test_an_answer_that_was_taken_back_is_not_shown(labeler: Labeler) -> None:
    stored = image_stored(label=None, trust="claimed")
    scored = image_scored(image_id=stored.image_id)
    await labeler.publish(stored, scored, image_scored(image_id=stored.image_id, answer=None))
    assert (await labeler.get(f"/images/{stored.image_id}"))["prediction"] is None


async def test_answers_of_earlier_releases_stay_until_the_next_one(labeler: Labeler, database_url: str) -> None:
    """They were folded from prediction.logged, which is not read any more, and a replay takes them over."""
    stored, other = image_stored(label=None, trust="claimed"), image_stored(label=None, trust="claimed")
    await labeler.publish(stored, other)
    await labeler.tables.execute(
        """INSERT INTO predictions (image_id, prediction_id, label, probabilities, margin, model_version, occurred_at)
           SELECT unnest($1::uuid[]), gen_random_uuid(), 'grass', '{"grass": 1.0}', 1.0, 'old', now()""",
        [stored.image_id, other.image_id],
    )
    await labeler.tables.fetch("SELECT list_image(image_id) FROM images")  # as the migration has it
    for version in ("v1", "v2"):
        await labeler.publish(image_scored(image_id=other.image_id, model_version=version))
    labeler.event_log.compact(ImageScored.topic)

    report = await replay(labeler.event_log, database_url, replay_plan())

    assert (report.differing, report.swapped) == ((), True)
    shown = [(await labeler.get(f"/images/{each.image_id}"))["prediction"] for each in (stored, other)]
    assert [each["model_version"] for each in shown] == ["old", "v2"]
