"""What Review keeps for a person: it is the same after a reload, in a second tab, and on another machine."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.labeler.queries.saved_filters import MOST
from shared.testing import image_stored, image_withdrawn, label_corrected

from .conftest import Labeler


@pytest.fixture
async def images(labeler: Labeler) -> list[UUID]:
    """Three images that wait for review."""
    stored = [image_stored(label="grass") for _ in range(3)]
    await labeler.publish(*stored)
    return [each.image_id for each in stored]


async def skip(labeler: Labeler, image_id: UUID, who: str = "anna", **facts: Any) -> httpx2.Response:
    async with labeler.client(who) as client:
        return await client.post("/review/skipped", json={"image_id": str(image_id), "revision": 0} | facts)


async def queue(labeler: Labeler, name: str = "doubtful", who: str = "anna") -> set[UUID]:
    return {UUID(item["image_id"]) for item in (await labeler.get(f"/review?queue={name}", who))["items"]}


async def test_what_was_left_for_later_is_kept_for_this_person_alone(labeler: Labeler, images: list[UUID]) -> None:
    first, *others = images
    for _ in range(2):
        assert (await skip(labeler, first)).json() == {"skipped": 1}

    assert await queue(labeler) == set(others)
    assert await queue(labeler, "my_skipped") == {first}
    assert (await labeler.get("/review"))["skipped"] == 1
    assert await queue(labeler, who="berta") == set(images)
    assert await queue(labeler, "my_skipped", "berta") == set()
    async with labeler.client("anna") as client:  # as another tab or machine asks
        leased = (await client.post("/review/lease", json={})).json()["items"]
    assert {UUID(item["image_id"]) for item in leased} == set(others)


async def test_it_comes_again_when_it_is_undone(labeler: Labeler, images: list[UUID]) -> None:
    await skip(labeler, images[0])
    for _ in range(2):
        assert (await skip(labeler, images[0], later=False)).json() == {"skipped": 0}

    assert await queue(labeler) == set(images)


async def test_a_decision_of_any_person_settles_it(labeler: Labeler, images: list[UUID]) -> None:
    await skip(labeler, images[0])
    await labeler.publish(label_corrected(image_id=images[0], label_to="grass", revision=1, corrected_by="berta"))

    assert await queue(labeler, "my_skipped") == set()
    assert (await labeler.get("/review"))["skipped"] == 0
    undo = label_corrected(image_id=images[0], label_to=None, no_label="withdrawn", revision=2, corrected_by="berta")
    await labeler.publish(undo)
    assert images[0] in await queue(labeler)


async def test_the_one_left_first_comes_first(labeler: Labeler, images: list[UUID]) -> None:
    for image_id in images[::-1]:
        await skip(labeler, image_id)
        labeler.clock.move(1)
    await skip(labeler, images[2])

    items = (await labeler.get("/review?queue=my_skipped"))["items"]
    assert [UUID(item["image_id"]) for item in items] == [images[1], images[0], images[2]]
    assert {item["reason"] for item in items} == {"You left it for later."}


async def test_a_filter_is_saved_replaced_and_forgotten_by_its_person(labeler: Labeler) -> None:
    async with labeler.client("anna") as anna:
        for label in ("grass", "moss"):
            body = {"name": " my filter ", "filter": {"label": [label]}, "sort": "doubtful"}
            saved = (await anna.post("/review/filters", json=body)).json()
        assert [(each["name"], each["filter"]["label"], each["sort"]) for each in saved] == [
            ("my filter", ["moss"], "doubtful")
        ]
        assert (await labeler.get("/review/queues"))["filters"] == saved
        assert (await labeler.get("/review/queues", "berta"))["filters"] == []
        for number in range(MOST - 1):
            await anna.post("/review/filters", json={"name": str(number), "filter": {}})
        refused = await anna.post("/review/filters", json={"name": "one more", "filter": {}})
        assert (refused.status_code, refused.json()["error"]) == (422, "too_many_filters")
        assert (await anna.post("/review/filters", json={"name": "my filter", "filter": {}})).status_code == 200
        left = await anna.post("/review/filters/forget", json={"name": "my filter"})
    assert len(left.json()) == MOST - 1


async def test_images_that_are_not_there_are_refused(labeler: Labeler, images: list[UUID]) -> None:
    await skip(labeler, images[0])
    await labeler.publish(image_withdrawn(image_id=images[0]))

    assert (await skip(labeler, images[0])).status_code == 410
    assert (await skip(labeler, uuid4())).status_code == 404
    assert await queue(labeler, "my_skipped") == set()
