"""Doing it again changes nothing: seeding the same images, and folding every table anew."""

import json
from collections.abc import Mapping

from pappus.demo.drawing import draw_tiles
from shared.clients.answers import Applied
from shared.clients.labeler import correct_label, get_history, get_image, get_review_queue, list_models
from shared.contract.topics import EVENT_TOPICS
from shared.messaging.event_log import TopicPartition
from shared.testing import eventually

from .demo_run import LIVE_SECONDS, Told
from .pictures import served

GOES_ON = {"image.scored", "answers.logged", "model.loaded"}
STILL = tuple(topic.name for topic in EVENT_TOPICS if topic.name not in GOES_ON)
SERVICES = ["ingestor", "labeler", "predictor", "trainer"]


async def everything(told: Told) -> tuple[Mapping[TopicPartition, int], list[str], int]:
    """End offsets of the topics that do not go on by themselves, all objects, and how many rows there are."""
    async with told.store() as store:
        objects = await store.keys("")
    rows = await told.rows("ingestor", "SELECT count(*) AS rows FROM plants_data")
    return await told.ends(STILL), objects, rows[0]["rows"]


async def test_seeding_again_adds_no_row_no_object_and_no_event(told: Told) -> None:
    before = await everything(told)
    ended = told.pappus("seed")
    stored = told.report["figures"]["stored"]
    assert ended.returncode == 0, ended.stderr
    assert f"0 new rows; {stored} of {stored} images stored." in ended.stdout
    assert await everything(told) == before


async def test_a_replay_gives_equal_tables_and_publishes_nothing(told: Told) -> None:
    before = await everything(told)
    with served(told.web, {}) as web:
        ended = told.pappus("replay", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    replays = json.loads(ended.stdout)["replays"]
    assert [each["tables"] for each in replays if each["compared"] and not each["differing"]] == SERVICES
    assert await everything(told) == before
    assert web.requests == []


async def test_after_the_replay_the_loop_goes_on_with_the_new_tables(told: Told) -> None:
    async with told.person() as person:
        models = await person.send(list_models())
        [item] = (await person.send(get_review_queue(1))).items
        image = await person.send(get_image(item.image_id))
        label = image.label or "grass"
        done = await person.send(correct_label(image.image_id, label, image.revision, reason="a person agrees"))
        history = await person.send(get_history(image.image_id))

        async def decided() -> bool:
            last = (await person.send(get_history(image.image_id)))[-1]
            return bool(last.live_in or last.set_aside)

        await eventually(decided, LIVE_SECONDS)
    await told.answer(draw_tiles(4))  # every replica has the same model again
    assert models
    assert isinstance(done, Applied)
    assert history[-1].event_id == done.event_id
