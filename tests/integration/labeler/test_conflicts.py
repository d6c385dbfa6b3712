"""Copies of a picture: of different labels the later one holds for both, and both people see why; what resembles both
sides of the split is shown."""

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

from services.labeler.data.projection import PROJECTORS
from shared.contract.events import Event, ImageStored
from shared.contract.split import side
from shared.tables.database import Database
from shared.testing import image_stored, image_withdrawn, label_corrected
from shared.testing.events import NOON

from .conftest import Labeler

PIXELS = "c" * 64


async def store_pair(labeler: Labeler) -> tuple[ImageStored, ImageStored]:
    """Store the same pixels in two files, one from a data set and one from a person."""
    one, other = image_stored(pixels_sha256=PIXELS), image_stored(pixels_sha256=PIXELS, label=None, trust="claimed")
    await labeler.publish(one, other)
    return one, other


async def contradict(labeler: Labeler, one: ImageStored, other: ImageStored) -> dict[str, Any]:
    """Anna says dandelion of one, a minute later berta says grass of the other. Return the answer to berta."""
    await labeler.correct("anna", one.image_id, "dandelion", 0)
    labeler.clock.move(60)
    answer = await labeler.correct("berta", other.image_id, "grass", 0)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def sides(conflict: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return image, label and author of the label that counts, then of the other."""
    decided = (conflict["counting"], conflict["overruled"])
    return [(each["image_id"], each["label"], each["decided_by"]) for each in decided]


async def test_both_people_see_the_conflict(labeler: Labeler) -> None:
    one, other = await store_pair(labeler)

    answer = await contradict(labeler, one, other)

    expected = [(str(other.image_id), "grass", "berta"), (str(one.image_id), "dandelion", "anna")]
    assert [sides(each) for each in answer["conflicts"]] == [expected]
    for person in ("anna", "berta"):
        assert [sides(each) for each in await labeler.get("/conflicts", person)] == [expected]
    assert await labeler.get("/conflicts", "olga") == []
    assert len(await labeler.get("/conflicts?by=anna", "olga")) == 1
    for image in (one, other):
        [_, revision] = await labeler.get(f"/images/{image.image_id}/history")
        assert [sides(each) for each in revision["conflicts"]] == [expected]


async def test_the_later_label_is_that_of_both_images(labeler: Labeler) -> None:
    one, other = await store_pair(labeler)

    await contradict(labeler, one, other)

    image = await labeler.get(f"/images/{one.image_id}")
    assert (image["label"], image["revision"], image["label_of"]) == ("grass", 1, str(other.image_id))
    image = await labeler.get(f"/images/{other.image_id}")
    assert (image["label"], image["revision"], image["label_of"]) == ("grass", 1, None)


async def test_a_conflict_ends_with_a_withdrawal(labeler: Labeler) -> None:
    one, other = await store_pair(labeler)
    await contradict(labeler, one, other)

    async with labeler.client("berta") as client:
        body = {"no_label": "withdrawn", "revision": 1}
        answer = await client.post(f"/images/{other.image_id}/label", json=body)

    assert (answer.status_code, answer.json()["conflicts"]) == (200, [])
    assert await labeler.get("/conflicts") == []
    assert (await labeler.get(f"/images/{other.image_id}"))["label"] == "dandelion"


async def test_equal_labels_are_no_conflict(labeler: Labeler) -> None:
    one, other = await store_pair(labeler)
    await labeler.correct("anna", one.image_id, "grass", 0)
    await labeler.correct("berta", other.image_id, "grass", 0)

    assert await labeler.get("/conflicts") == []


async def test_a_copy_of_a_reviewed_picture_is_not_reviewed_again(labeler: Labeler) -> None:
    one, _ = await store_pair(labeler)
    assert (await labeler.get("/review"))["waiting"] == 2

    await labeler.correct("anna", one.image_id, "grass", 0)

    assert (await labeler.get("/review"))["waiting"] == 0


async def test_a_quarantined_image_is_shown_with_those_it_resembles(labeler: Labeler) -> None:
    one, other = image_stored(), image_stored()
    between = image_stored(group_id=one.group_id, joins=(one.group_id, other.group_id))
    await labeler.publish(one, other, between)

    [shown] = await labeler.get("/quarantine")
    story = await labeler.get(f"/images/{between.image_id}/story")

    assert (shown["image_id"], shown["joins"]) == (str(between.image_id), [one.group_id, other.group_id])
    [item] = [each for each in (await labeler.get("/review"))["items"] if each["image_id"] == shown["image_id"]]
    assert item["quarantined"]
    resembled = [{"side": side(each.group_id), "count": 1, "images": [str(each.image_id)]} for each in (one, other)]
    assert shown["resembles"] == (await labeler.get(f"/images/{between.image_id}"))["resembles"] == resembled
    assert story["side"] is None
    assert set(story["near_duplicates"]) == {str(one.image_id), str(other.image_id)}


async def test_a_withdrawn_image_decides_about_no_other(labeler: Labeler) -> None:
    one, other = await store_pair(labeler)
    await contradict(labeler, one, other)

    await labeler.publish(image_withdrawn(image_id=other.image_id, sha256=other.sha256))

    image = await labeler.get(f"/images/{one.image_id}")
    assert (image["label"], image["label_of"]) == ("dandelion", None)
    image = await labeler.get(f"/images/{other.image_id}")
    assert (image["state"], image["label_of"]) == ("withdrawn", None)
    assert await labeler.get("/conflicts") == []


async def test_an_overruled_image_that_is_withdrawn_is_no_conflict(labeler: Labeler) -> None:
    one, other = await store_pair(labeler)
    third = image_stored(pixels_sha256=PIXELS, label=None, trust="claimed")
    await labeler.publish(third)
    await contradict(labeler, one, other)

    await labeler.publish(image_withdrawn(image_id=one.image_id, sha256=one.sha256))

    assert await labeler.get("/conflicts") == []
    assert (await labeler.get(f"/images/{third.image_id}"))["label_of"] == str(other.image_id)


async def test_a_withdrawal_decides_nothing_in_any_order(tables: Database) -> None:
    one, other = (image_stored(image_id=UUID(int=n), pixels_sha256=PIXELS) for n in (1, 2))
    later = NOON + timedelta(seconds=1)
    streams: tuple[tuple[Event, ...], ...] = (
        (one,),
        (other,),
        (label_corrected(image_id=one.image_id, label_to="grass", revision=1, occurred_at=NOON),),
        (label_corrected(image_id=other.image_id, label_to="dandelion", revision=1, occurred_at=later),),
        (image_withdrawn(image_id=other.image_id, sha256=other.sha256),),
    )
    apply = {projector.event: projector.apply for projector in PROJECTORS}
    for order in permutations(streams):
        async with tables.transaction() as transaction:
            for event in (event for stream in order for event in stream * 2):
                await apply[type(event)](event, transaction)
            rows = await transaction.fetch("SELECT label, label_of FROM current_images WHERE withdrawn_at IS NULL")
            assert [(row["label"], row["label_of"]) for row in rows] == [("grass", None)]
            assert await transaction.fetchval("SELECT count(*) FROM same_pixels") == 0
            await transaction.execute("TRUNCATE images, label_history, same_pixels, shown_answers")


async def test_what_it_resembles_may_be_withdrawn(labeler: Labeler) -> None:
    one = image_stored()
    between = image_stored(group_id=one.group_id, joins=(one.group_id, "two"))
    await labeler.publish(one, between, image_withdrawn(image_id=one.image_id, sha256=one.sha256))

    [shown] = await labeler.get("/quarantine")
    assert [group["count"] for group in shown["resembles"]] == [0, 0]


async def test_a_withdrawn_image_leaves_the_quarantine(labeler: Labeler) -> None:
    between = image_stored(joins=("one", "two"))
    await labeler.publish(between, image_withdrawn(image_id=between.image_id, sha256=between.sha256))

    assert await labeler.get("/quarantine") == []
