"""Copies of an image in the list: which kinds there are of it, how many are in its group, and what is counted."""

from collections import Counter
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from services.labeler.data.projection import replay_plan
from shared.contract.events import ImageEvent
from shared.tables.database import Database
from shared.tables.replay import replay
from shared.testing import image_rejected, image_stored, image_withdrawn
from shared.testing.events import NOON, group_on

from .conftest import Labeler

GROUP, ALONE = group_on("train", 1), group_on("train", 2)
PIXELS, OTHERS = "a" * 64, "b" * 64


def picture(number: int, group: str = GROUP, pixels: str = PIXELS) -> ImageEvent:
    """Return an image of a group."""
    at = NOON + timedelta(minutes=number)
    return image_stored(image_id=UUID(int=number), group_id=group, pixels_sha256=pixels, occurred_at=at, label="grass")


FIRST, SAME, NEAR, LONELY = (
    picture(1),
    picture(2),
    picture(3, pixels=OTHERS),
    picture(4, group=ALONE, pixels="c" * 64),
)
AGAIN = image_rejected(image_id=UUID(int=9), reason="duplicate", duplicate_of=LONELY.image_id)


async def copies(labeler: Labeler, query: str = "") -> dict[int, tuple[list[str], int]]:
    """Return by number the kinds of copies of each listed image, and how many others are in its group."""
    items = (await labeler.get(f"/images?{query}"))["items"]
    return {UUID(item["image_id"]).int: (item["copies"], item["in_group"]) for item in items}


@pytest.mark.parametrize("order", list(permutations((FIRST, SAME, NEAR))), ids=lambda order: str(order[0].image_id.int))
async def test_copies_are_found_in_any_order(labeler: Labeler, order: tuple[ImageEvent, ...]) -> None:
    await labeler.publish(AGAIN, *order, LONELY, *order)
    assert await copies(labeler) == {
        1: (["same_pixels", "near"], 2),
        2: (["same_pixels", "near"], 2),
        3: (["near"], 2),
        4: (["same_bytes"], 0),
    }


async def test_the_last_of_a_group_has_no_copies_any_more(labeler: Labeler) -> None:
    await labeler.publish(FIRST, SAME, NEAR, image_withdrawn(image_id=SAME.image_id))
    without_one = await copies(labeler)
    await labeler.publish(image_withdrawn(image_id=FIRST.image_id))
    assert without_one == {1: (["near"], 1), 3: (["near"], 1)}
    assert await copies(labeler) == {3: ([], 0)}
    await labeler.publish(picture(5))
    assert await copies(labeler) == {3: (["near"], 1), 5: (["near"], 1)}


async def test_a_withdrawal_that_is_known_first_leaves_no_copy(labeler: Labeler) -> None:
    await labeler.publish(image_withdrawn(image_id=SAME.image_id), FIRST, SAME)
    assert await copies(labeler) == {1: ([], 0)}


async def test_a_filter_keeps_copies_and_a_group_and_they_are_counted(labeler: Labeler) -> None:
    await labeler.publish(FIRST, SAME, NEAR, LONELY, AGAIN)
    kept: dict[str, set[int]] = {
        "copies=near": {1, 2, 3},
        "copies=same_pixels": {1, 2},
        "copies=same_bytes": {4},
        "copies=same_bytes&copies=same_pixels": {1, 2, 4},
        f"group={GROUP}": {1, 2, 3},
        f"group={GROUP}&copies=same_pixels": {1, 2},
        "group=none": set(),
        "copies=near&label=dandelion": set(),
    }
    for query, expected in kept.items():
        assert set(await copies(labeler, query)) == expected, query
    everything: dict[str, Any] = await labeler.get("/images?facets=true")
    chosen: dict[str, Any] = await labeler.get(f"/images?facets=true&copies=same_bytes&group={GROUP}")
    assert {each["value"]: each["count"] for each in everything["facets"]["copies"]} == {
        "near": 3,
        "same_pixels": 2,
        "same_bytes": 1,
    }
    assert {each["value"]: each["count"] for each in chosen["facets"]["copies"]} == {"near": 3, "same_pixels": 2}
    assert (chosen["items"], chosen["total"]) == ([], 0)
    assert (await labeler.get("/images?copies=near&facets=true"))["facets"]["label"] == [{"value": "grass", "count": 3}]


async def test_a_page_turns_within_a_group(labeler: Labeler) -> None:
    await labeler.publish(FIRST, SAME, NEAR, LONELY)
    first = await labeler.get(f"/images?group={GROUP}&limit=2")
    second = await labeler.get(f"/images?group={GROUP}&limit=2&cursor={first['next']}")
    assert [UUID(item["image_id"]).int for page in (first, second) for item in page["items"]] == [3, 2, 1]
    assert (first["total"], second["next"]) == (3, None)


async def test_tables_of_an_update_and_of_a_replay_are_the_same(labeler: Labeler, tables: Database) -> None:
    await labeler.publish(FIRST, SAME, NEAR, LONELY, AGAIN, picture(6), image_withdrawn(image_id=SAME.image_id))
    noted = await tables.fetch("SELECT * FROM image_copies ORDER BY image_id")
    at_once = await tables.fetch("SELECT * FROM copies_to_note ORDER BY image_id")
    report = await replay(labeler.event_log, labeler.app.state.service.settings.database_dsn, replay_plan())
    counted = {tuple(row["copies"]): row["number"] for row in await tables.fetch("SELECT * FROM copies_counts")}
    assert [dict(row) for row in noted] == [dict(row) for row in at_once]
    assert counted == Counter(tuple(row["copies"]) for row in at_once if row["copies"])
    assert (report.differing, "image_copies" in report.compared) == ((), True)


async def test_a_saved_filter_keeps_its_copies(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        body = {"name": "twins", "filter": {"copies": ["near"], "group": GROUP}, "sort": "newest"}
        saved = await client.post("/review/filters", json=body)
    assert saved.is_success, saved.text
    [found] = await labeler.get("/review/filters")
    assert (found["filter"]["copies"], found["filter"]["group"]) == (["near"], GROUP)


async def test_copies_are_counted_under_every_other_filter(labeler: Labeler) -> None:
    await labeler.publish(FIRST, SAME, NEAR, LONELY, AGAIN)
    await labeler.correct("anna", FIRST.image_id, "dandelion", 0)  # which counts for the same pixels, too

    async def counted(query: str) -> tuple[dict[str, int], dict[str, int], int]:
        page = await labeler.get(f"/images?facets=true&{query}")
        kinds, labels = (
            {each["value"]: each["count"] for each in page["facets"][name]} for name in ("copies", "label")
        )
        return kinds, labels, page["total"]

    everything = {"near": 3, "same_pixels": 2, "same_bytes": 1}
    for since in ("", "&since=2020-01-01"):
        assert await counted("label=dandelion" + since) == (
            {"near": 2, "same_pixels": 2},
            {"dandelion": 2, "grass": 2},
            2,
        )
        assert await counted("copies=same_bytes" + since) == (everything, {"grass": 1}, 1)
        assert await counted("copies=near&label=grass" + since) == (
            {"near": 1, "same_bytes": 1},
            {"dandelion": 2, "grass": 1},
            1,
        )
