"""Which stored images are most like one of them to the model."""

import random
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.labeler.data.projection import replay_plan
from services.labeler.queries import similar
from shared.clients.similar import MAX_SIMILAR
from shared.contract.image_scored import ImageScored
from shared.contract.place import DIMENSIONS, encode_place
from shared.tables.replay import replay
from shared.testing import image_registered, image_scored, image_stored, image_withdrawn, label_corrected

from .conftest import Labeler

EAST, NORTH_EAST, NORTH, WEST = (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (-1.0, 0.0)
NEW = "e" * 64


async def stored(labeler: Labeler, *direction: float, **answer: Any) -> UUID:
    """Store an image that the model has in this direction; nowhere without one."""
    image = image_stored(trust="claimed", label="grass")
    scored = image_scored(image_id=image.image_id, place=encode_place(direction), **answer)
    await labeler.publish(image, scored)
    return image.image_id


async def similar_to(labeler: Labeler, image_id: UUID, limit: int = 24) -> list[tuple[UUID, float]]:
    """Return ids and cosines of the answer."""
    items = (await labeler.get(f"/images/{image_id}/similar?limit={limit}"))["items"]
    return [(UUID(item["image_id"]), item["cosine"]) for item in items]


async def test_the_nearest_come_first_with_label_and_answer(labeler: Labeler) -> None:
    asked, north = await stored(labeler, *EAST), await stored(labeler, *NORTH)
    near, west = await stored(labeler, *NORTH_EAST), await stored(labeler, *WEST)
    await labeler.publish(label_corrected(image_id=near, label_to="dandelion"))

    assert await similar_to(labeler, asked) == [(near, 0.7071), (north, 0.0), (west, 0.0)]
    assert await similar_to(labeler, asked, limit=1) == [(near, 0.7071)]
    [first, second, _] = (await labeler.get(f"/images/{asked}/similar"))["items"]
    assert (first["label"], second["label"]) == ("dandelion", "grass")
    assert first["prediction"] == (await labeler.get(f"/images/{near}"))["prediction"]


async def test_images_of_another_full_model_are_left_out_until_it_scored_them(labeler: Labeler) -> None:
    asked, other = await stored(labeler, *EAST), await stored(labeler, *EAST)
    again = {"full_model_sha256": NEW, "model_version": "v2"}
    await labeler.publish(image_scored(image_id=asked, place=encode_place(NORTH), **again))
    answer = await labeler.get(f"/images/{asked}/similar")
    assert answer == {"items": [], "why_none": similar.ALONE}
    await labeler.publish(image_scored(image_id=other, place=encode_place(NORTH_EAST), **again))
    assert await similar_to(labeler, asked) == [(other, 0.7071)]


async def test_an_image_without_a_place_says_why(labeler: Labeler) -> None:
    waiting, unstored, unanswered = await stored(labeler), image_registered(), image_stored()
    await stored(labeler, *EAST)
    await labeler.publish(unstored, unanswered)
    for image_id, why in (
        (waiting, similar.NO_PLACE),
        (unstored.image_id, similar.NOT_STORED),
        (unanswered.image_id, similar.NOT_ANSWERED),
    ):
        assert await labeler.get(f"/images/{image_id}/similar") == {"items": [], "why_none": why}


async def test_an_answer_without_a_place_ends_the_one_before_it(labeler: Labeler) -> None:
    asked, other = await stored(labeler, *EAST), await stored(labeler, *EAST)
    await labeler.publish(image_scored(image_id=other, full_model_sha256=NEW))
    assert await similar_to(labeler, asked) == []


async def test_what_cannot_be_asked_is_refused(labeler: Labeler) -> None:
    gone = await stored(labeler, *EAST)
    await labeler.publish(image_withdrawn(image_id=gone))
    path = f"/images/{gone}/similar"
    async with labeler.client("anna") as client, labeler.client() as stranger:
        answers = [
            await client.get(path),
            await client.get(f"/images/{uuid4()}/similar"),
            await client.get(f"{path}?limit=0"),
            await client.get(f"{path}?limit={MAX_SIMILAR + 1}"),
            await stranger.get(path),
        ]
    assert [(each.status_code, each.json()["error"]) for each in answers] == [
        (410, "image_withdrawn"),
        (404, "image_unknown"),
        (422, "invalid_request"),
        (422, "invalid_request"),
        (401, "unauthorised"),
    ]


@pytest.mark.parametrize("late", [False, True], ids=["scored first", "withdrawn first"])
async def test_a_withdrawn_image_has_no_place(labeler: Labeler, late: bool) -> None:
    asked, image = await stored(labeler, *EAST), image_stored()
    events = [image_scored(image_id=image.image_id, place=encode_place(EAST)), image_withdrawn(image_id=image.image_id)]
    await labeler.publish(image, *(reversed(events) if late else events))
    assert await labeler.tables.fetchval("SELECT count(*) FROM places") == 1
    assert await similar_to(labeler, asked) == []


async def test_the_same_answer_again_writes_no_place(labeler: Labeler) -> None:
    image_id = await stored(labeler, *NORTH_EAST)
    before = await labeler.tables.fetchval("SELECT xmin::text FROM places")
    await labeler.publish(image_scored(image_id=image_id, place=encode_place(NORTH_EAST), sequence=2))
    assert await labeler.tables.fetchval("SELECT xmin::text FROM places") == before
    await labeler.publish(image_scored(image_id=image_id, place=encode_place(NORTH), sequence=3))
    assert await labeler.tables.fetchval("SELECT xmin::text FROM places") != before


async def test_a_replay_gives_the_same_places(labeler: Labeler) -> None:
    chance = random.Random(7)
    images = [await stored(labeler, *(chance.gauss(0, 1) for _ in range(DIMENSIONS))) for _ in range(6)]
    await labeler.publish(image_scored(image_id=images[1], answer=None), image_withdrawn(image_id=images[2]))
    before = await similar_to(labeler, images[0])
    labeler.event_log.compact(ImageScored.topic)
    report = await replay(labeler.event_log, labeler.app.state.service.settings.database_dsn, replay_plan())
    assert (report.differing, report.swapped, "places" in report.compared) == ((), True, True)
    assert len(before) == 3
    assert await similar_to(labeler, images[0]) == before


async def test_the_index_finds_what_comparing_all_finds(labeler: Labeler) -> None:
    chance = random.Random(3)
    images = [await stored(labeler, *(chance.gauss(0, 1) for _ in range(8))) for _ in range(30)]
    for asked in images[:3]:
        compared = await similar.find_nearest(labeler.tables, asked, 10)
        assert compared is not None
        assert len(compared) == 10
        assert await similar.find_nearest(labeler.tables, asked, 10, few=0) == compared


async def test_nearer_images_of_another_model_do_not_use_up_the_index(labeler: Labeler) -> None:
    """The index holds the places of all models. Few of this one, behind many nearer ones of the other, are found."""
    asked = await stored(labeler, *EAST)
    await labeler.tables.execute(
        """INSERT INTO places
           SELECT gen_random_uuid(), CASE WHEN number % 100 = 0 THEN $1 ELSE $2 END,
                  array_cat(ARRAY[100, CASE WHEN number % 100 = 0 THEN 100 ELSE number % 50 END, number % 7],
                            array_fill(0, ARRAY[61]))::halfvec
           FROM generate_series(1, 3000) AS number""",
        "f" * 64,
        NEW,
    )
    await labeler.tables.execute(
        """INSERT INTO images (image_id, stored_at, group_id)
           SELECT image_id, now(), image_id::text FROM places ON CONFLICT DO NOTHING"""
    )
    arguments = (asked, await labeler.tables.fetchval("SELECT place::text FROM places WHERE image_id = $1", asked))
    async with labeler.tables.transaction() as transaction:
        await similar.set_up_search(transaction)
        await transaction.execute("SET LOCAL enable_seqscan = off")
        await transaction.execute("DROP INDEX places_of_model")
        plan = await transaction.fetch(f"EXPLAIN {similar.NEAREST}", *arguments, "f" * 64, 24)
        found = await transaction.fetch(similar.NEAREST, *arguments, "f" * 64, 24)
    assert any("Index Scan using places_by_nearness" in row[0] for row in plan)
    assert len(found) == 24
