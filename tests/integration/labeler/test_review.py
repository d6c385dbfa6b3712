"""The review queue and its order."""

from datetime import timedelta
from uuid import UUID

from shared.testing import image_stored, label_corrected, prediction_logged

from .conftest import Labeler


async def order(labeler: Labeler, limit: int = 20) -> list[UUID]:
    """Return the ids in the queue."""
    return [UUID(item["image_id"]) for item in (await labeler.get(f"/review?limit={limit}"))["items"]]


async def test_the_least_certain_image_comes_first_and_says_why(labeler: Labeler) -> None:
    sure, unsure = image_stored(label=None, trust="claimed"), image_stored(label=None, trust="claimed")
    await labeler.publish(
        sure,
        unsure,
        prediction_logged(image_id=sure.image_id, probabilities={"dandelion": 0.99, "grass": 0.01}),
        prediction_logged(image_id=unsure.image_id, probabilities={"dandelion": 0.52, "grass": 0.48}),
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
        prediction_logged(image_id=contradicted.image_id, probabilities={"dandelion": 0.9, "grass": 0.1}),
        prediction_logged(image_id=unsure.image_id, probabilities={"dandelion": 0.52, "grass": 0.48}),
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
        *shots, other, *(prediction_logged(image_id=shot.image_id, probabilities=probabilities) for shot in shots)
    )

    assert (await order(labeler, limit=2))[1] == other.image_id


async def test_the_newest_prediction_is_shown_in_any_order_of_arrival(labeler: Labeler) -> None:
    stored = image_stored(label=None, trust="claimed")
    old = prediction_logged(image_id=stored.image_id, model_version="v1")
    new = prediction_logged(
        image_id=stored.image_id, model_version="v2", occurred_at=old.occurred_at + timedelta(seconds=1)
    )
    await labeler.publish(stored, new)
    await labeler.publish(old)

    assert (await labeler.get(f"/images/{stored.image_id}"))["prediction"]["model_version"] == "v2"


async def test_a_prediction_about_other_bytes_is_ignored(labeler: Labeler) -> None:
    await labeler.publish(prediction_logged(image_id=None))

    assert await labeler.tables.fetchval("SELECT count(*) FROM predictions") == 0
