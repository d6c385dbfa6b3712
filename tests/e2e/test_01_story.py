"""`pappus demo` tells the whole story, and its report says what happened."""

import json

import psutil

from shared.clients.labeler import get_review_queue
from shared.clients.similar import get_similar
from shared.testing import eventually

from .demo_run import Told

STAGES = [
    "stack up",
    "images in",
    "model trained, judged, served",
    "predictions",
    "corrections",
    "the same images asked again",
    "rollback",
    "unfreeze: corrections return",
]
LOWEST_ACCURACY = 0.7  # the gate's floor; the test side has some 30 images, and which ones depends on the ports


def test_the_story_is_told_to_its_end(told: Told) -> None:
    assert told.exit_code == 0, told.output
    assert [stage["name"] for stage in told.report["stages"]] == STAGES
    assert all(stage["seconds"] > 0 and stage["summary"] for stage in told.report["stages"])


def test_without_photographs_it_draws_its_own_and_stores_every_one(told: Told) -> None:
    figures = told.report["figures"]
    assert told.report["images"].startswith("drawn dandelions and grass")
    assert figures["rows"] == figures["new_rows"] == figures["stored"] > 0
    assert figures["rejected"] == 0


def test_every_correction_that_went_live_holds(told: Told) -> None:
    figures, seconds = told.report["figures"], told.report["correction_to_live_seconds"]
    assert 1 <= figures["corrected"] == figures["corrected_hold"] == len(seconds)
    assert all(0 < each < 60 for each in seconds)


def test_the_model_is_worth_showing(told: Told) -> None:
    figures = told.report["figures"]
    assert figures["test_accuracy"] >= LOWEST_ACCURACY
    assert figures["answers_right_before"] > 0.8 * figures["rows"]


async def test_everything_is_left_running_and_ready(told: Told) -> None:
    await told.until_ready()
    assert told.report["addresses"]["Prediction API"] == f"{told.running.predictor}/docs"
    assert told.report["addresses"]["What became of a correction"].startswith("pappus why ")


def test_the_ingestor_may_no_longer_fetch_from_the_images_of_the_demo(told: Told) -> None:
    process = told.stack.status().component("ingestor").process
    assert process is not None
    assert json.loads(psutil.Process(process.pid).environ()["PAPPUS_ALLOWED_HOSTS"]) == []


async def test_every_stored_image_has_an_answer_and_a_place_of_the_full_model(told: Told) -> None:
    async def scored() -> bool:
        query = "SELECT count(DISTINCT full_model_sha256) AS models, count(*) - count(sequence) AS missing"
        [row] = await told.rows("predictor", f"{query} FROM stored_images")
        return (row["models"], row["missing"]) == (1, 0)

    await eventually(scored, 90)
    async with told.person() as person:
        items = (await person.send(get_review_queue(20))).items
        assert items
        assert all(item.prediction is not None for item in items)

        async def placed() -> bool:
            found = (await person.send(get_similar(items[0].image_id, 24))).items
            cosines = [each.cosine for each in found]
            return len(found) == 24 and cosines == sorted(cosines, reverse=True) and 0 < cosines[0] <= 1

        await eventually(placed, 30)


async def test_the_tables_agree_with_the_report(told: Told) -> None:
    states = await told.rows("ingestor", "SELECT state, count(*) AS rows FROM plants_data GROUP BY state")
    assert [(row["state"], row["rows"]) for row in states] == [("stored", told.report["figures"]["stored"])]
