"""What one person decided: it is counted, and an operator takes it out."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2

from shared.contract.events import AppliedCorrection, LabelCorrected
from shared.testing import image_stored, label_corrected, model_promoted, model_trained

from .conftest import Labeler

REASON = "The account was used by another person."


async def take_out(labeler: Labeler, image_id: UUID, who: str = "olga", person: str = "anna") -> httpx2.Response:
    async with labeler.client(who) as client:
        return await client.post(f"/images/{image_id}/take-out", json={"person": person, "reason": REASON})


async def label_of(labeler: Labeler, image_id: UUID) -> tuple[Any, Any]:
    image = await labeler.get(f"/images/{image_id}")
    return image["label"], image["trust"]


async def test_a_hundred_wrong_corrections_are_named_and_taken_out(labeler: Labeler) -> None:
    images = [image_stored(label="dandelion", trust="seed") for _ in range(100)]
    wrong = [
        label_corrected(image_id=one.image_id, label_to="grass", revision=1, corrected_by="anna") for one in images
    ]
    await labeler.publish(*images, *wrong)

    named = await labeler.get("/decisions?by=anna&limit=10000")
    assert (named["holding"], named["contradict_data_set"]) == (100, 100)
    assert {(each["label"], each["label_without"]) for each in named["held"]} == {("grass", "dandelion")}
    at_once = asyncio.Semaphore(8)

    async def one(image_id: str) -> int:
        async with at_once:
            return (await take_out(labeler, UUID(image_id))).status_code

    answers = await asyncio.gather(*(one(each["image_id"]) for each in named["held"]))

    assert set(answers) == {200}
    for image in images:
        assert await label_of(labeler, image.image_id) == ("dandelion", "seed")
    after = await labeler.get("/decisions?by=anna")
    assert (after["holding"], after["held"], after["overturned"]) == (0, [], 100)


async def test_what_another_person_decided_before_holds_again(labeler: Labeler) -> None:
    stored = image_stored(label=None, trust="claimed")
    await labeler.publish(stored)
    for revision, (who, label) in enumerate([("berta", "dandelion"), ("anna", "grass"), ("anna", "dandelion")]):
        await labeler.correct(who, stored.image_id, label, revision)
    assert (await labeler.get("/decisions?by=anna"))["changed"] == 1

    answer = await take_out(labeler, stored.image_id)

    assert answer.json().items() >= {"state": "taken_out", "label": "dandelion", "revision": 4}.items()
    newest = labeler.event_log.events(LabelCorrected)[-1]
    assert (newest.corrected_by, newest.reason, newest.no_label) == ("olga", REASON, "withdrawn")
    assert newest.restored is not None
    assert (newest.restored.revision, newest.restored.label) == (1, "dandelion")


async def test_a_second_time_finds_nothing_and_publishes_nothing(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)
    answers = await asyncio.gather(*(take_out(labeler, stored.image_id) for _ in range(3)))
    again = await take_out(labeler, stored.image_id)

    assert [each.status_code for each in answers] == [200, 200, 200]
    assert again.json()["state"] == "nothing"
    assert (await labeler.get(f"/images/{stored.image_id}"))["revision"] == 2


async def test_a_withdrawal_of_the_person_is_taken_out_too(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("berta", stored.image_id, "grass", 0)
    async with labeler.client("anna") as client:
        body = {"label": None, "no_label": "withdrawn", "revision": 1}
        await client.post(f"/images/{stored.image_id}/label", json=body)
    counted = await labeler.get("/decisions?by=anna")
    assert (counted["corrections"], counted["withdrawals"], counted["holding"]) == (0, 1, 1)

    await take_out(labeler, stored.image_id)

    assert await label_of(labeler, stored.image_id) == ("grass", "reviewed")


async def test_a_labeler_takes_nothing_out(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)

    refused = await take_out(labeler, stored.image_id, who="berta")

    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    assert (await labeler.get("/decisions?by=anna"))["holding"] == 1


async def test_the_model_in_service_says_how_many_it_holds(labeler: Labeler) -> None:
    images = [image_stored(label="dandelion", trust="seed") for _ in range(3)]
    said = [label_corrected(image_id=one.image_id, label_to="grass", corrected_by="anna") for one in images[:2]]
    other = label_corrected(image_id=images[2].image_id, label_to="grass", corrected_by="berta")
    held = tuple(AppliedCorrection(image_id=one.image_id, revision=1) for one in (said[0], other))
    trained = model_trained(version="fast-1", lane="fast", parent="full-1", corrections=held, causes=(other.event_id,))
    parent = model_trained(version="full-1", corrections=held[:1])
    await labeler.publish(*images, *said, other, parent, trained, model_promoted(version="fast-1", sequence=1))

    counted = await labeler.get("/decisions?by=anna")
    story = await labeler.get("/models/fast-1/story")
    image = await labeler.get(f"/images/{images[0].image_id}/story")

    assert (counted["version"], counted["in_service"]) == ("fast-1", 1)
    assert [(each["corrected_by"], each["is_new"]) for each in story["learned"]] == [("berta", True), ("anna", False)]
    assert (story["new_corrections"], [each["corrected_by"] for each in story["caused_by"]]) == (1, ["berta"])
    assert [(each["sequence"], each["until"]) for each in story["served"]] == [(1, None)]
    assert {each["version"]: each["served_from"] is None for each in image["models"]} == {
        "fast-1": False,
        "full-1": True,
    }


async def test_an_image_names_its_duplicates_and_its_side(labeler: Labeler) -> None:
    stored, near = image_stored(group_id="one"), image_stored(group_id="one")
    await labeler.publish(stored, near)

    story = await labeler.get(f"/images/{stored.image_id}/story")

    assert (story["near_duplicates"], story["side"] in ("train", "test")) == ([str(near.image_id)], True)
    async with labeler.client("anna") as client:
        unknown = [await client.get(path) for path in (f"/images/{UUID(int=1)}/story", "/models/none/story")]
    assert [each.status_code for each in unknown] == [404, 404]
