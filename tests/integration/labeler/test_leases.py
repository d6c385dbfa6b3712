"""Several people review one queue: none gets an image that another one has before them."""

import asyncio
from typing import Any

import pytest

from shared.testing import image_stored, label_corrected

from .conftest import Labeler, token

REVIEWERS = [f"reviewer {number}" for number in range(8)]


@pytest.fixture
async def crowd(labeler: Labeler) -> Labeler:
    """Eight reviewers, and an API with 100 images to review."""
    for name in REVIEWERS:
        await labeler.tables.execute("INSERT INTO users (name, role, password_hash) VALUES ($1, 'labeler', '')", name)
        labeler.tokens[name] = token(name)
    await labeler.publish(*(image_stored(trust="claimed", label="grass") for _ in range(100)))
    return labeler


async def lease(labeler: Labeler, who: str, limit: int = 10) -> list[dict[str, Any]]:
    async with labeler.client(who) as client:
        answer = await client.post("/review/lease", json={"limit": limit})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_eight_people_at_once_label_everything_and_no_image_twice(crowd: Labeler) -> None:
    seen: list[str] = []

    async def review(who: str) -> None:
        while items := await lease(crowd, who):
            for item in items:
                seen.append(item["image_id"])
                answer = await crowd.correct(who, item["image_id"], "grass", item["revision"])
                assert answer.status_code == 200, answer.text

    async with asyncio.timeout(60):
        await asyncio.gather(*map(review, REVIEWERS))

    assert (len(seen), len(set(seen))) == (100, 100)
    assert await crowd.tables.fetchval("SELECT count(*) FROM label_history") == 100


async def test_a_lease_is_kept_while_its_person_asks_and_ends_when_they_stop(crowd: Labeler) -> None:
    first = [item["image_id"] for item in await lease(crowd, REVIEWERS[0])]
    crowd.clock.move(200)
    again = [item["image_id"] for item in await lease(crowd, REVIEWERS[0])]
    crowd.clock.move(200)
    other = [item["image_id"] for item in await lease(crowd, REVIEWERS[1])]
    crowd.clock.move(101)
    later = [item["image_id"] for item in await lease(crowd, REVIEWERS[2])]

    assert again == first
    assert not set(other) & set(first)
    assert later == first
    assert await crowd.tables.fetchval("SELECT count(*) FROM leases") == 20


async def test_a_reviewed_image_is_leased_to_no_person_again(crowd: Labeler) -> None:
    [item] = await lease(crowd, REVIEWERS[0], limit=1)
    await crowd.publish(
        label_corrected(
            image_id=item["image_id"], label_from="grass", label_to="grass", revision=1, corrected_by="anna"
        )
    )

    assert item["image_id"] not in {each["image_id"] for each in await lease(crowd, REVIEWERS[0], limit=100)}


async def test_the_list_of_the_queue_shows_leased_images_too(crowd: Labeler) -> None:
    await lease(crowd, REVIEWERS[0], limit=100)

    assert await lease(crowd, REVIEWERS[1]) == []
    assert len((await crowd.get("/review?limit=1000"))["items"]) == 100
