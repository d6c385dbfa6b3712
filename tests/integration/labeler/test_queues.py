"""The queues of Review: which images each holds, why, and for whom."""

from typing import Any
from uuid import UUID

import pytest

from services.labeler.commands.label_doubts import LabelDoubts
from services.labeler.settings import LabelerSettings
from shared.clients.review import QUEUES
from shared.contract.events import AppliedCorrection, Event, SetAside
from shared.contract.place import encode_place
from shared.testing import (
    drift_detected,
    image_scored,
    image_stored,
    image_withdrawn,
    label_corrected,
    model_promoted,
    model_rejected,
    model_trained,
)

from .conftest import TOPICS, Labeler

GRASS, DANDELION = {"dandelion": 0.1, "grass": 0.9}, {"dandelion": 0.9, "grass": 0.1}


async def queue(labeler: Labeler, name: str, who: str = "anna", **asked: str) -> list[tuple[UUID, str]]:
    """Return the images of a queue, each with its reason."""
    parameters = "&".join(f"{key}={value}" for key, value in asked.items())
    found = await labeler.get(f"/review?queue={name}&{parameters}", who)
    assert (found["waiting"], found["more"]) == (len(found["items"]), False)
    return [(UUID(item["image_id"]), item["reason"]) for item in found["items"]]


async def images_in(labeler: Labeler, name: str, who: str = "anna", **asked: str) -> list[UUID]:
    return [image_id for image_id, _ in await queue(labeler, name, who, **asked)]


async def counts(labeler: Labeler, who: str = "anna") -> dict[str, int]:
    return {each["queue"]: each["waiting"] for each in (await labeler.get("/review/queues", who))["queues"]}


def said(image_id: UUID, who: str, label: str | None, revision: int = 1, **facts: Any) -> Event:
    """Return what a person says about an image."""
    return label_corrected(image_id=image_id, corrected_by=who, label_to=label, revision=revision, **facts)


async def test_contradicted_labels_of_any_source_come_by_how_sure_the_model_is(labeler: Labeler) -> None:
    seed, claimed, agreed = (image_stored(label="grass", trust=trust) for trust in ("seed", "claimed", "claimed"))
    await labeler.publish(
        seed,
        claimed,
        agreed,
        image_scored(image_id=seed.image_id, probabilities=DANDELION),
        image_scored(image_id=claimed.image_id, probabilities={"dandelion": 0.6, "grass": 0.4}),
        image_scored(image_id=agreed.image_id, label="grass", probabilities=GRASS),
    )

    assert await queue(labeler, "contradicts_label") == [
        (seed.image_id, "It came with grass, and the model says dandelion (90%)."),
        (claimed.image_id, "It was uploaded as grass, and the model says dandelion (60%)."),
    ]
    await labeler.publish(said(seed.image_id, "berta", "dandelion"))
    assert await images_in(labeler, "contradicts_label") == [claimed.image_id]


async def test_a_label_that_similar_images_contradict_is_found(labeler: Labeler, settings: LabelerSettings) -> None:
    wrong, other = image_stored(label="grass", trust="seed"), image_stored(label="grass", trust="seed")
    stored = [image_stored(label=("grass", "dandelion")[number % 2], trust="seed") for number in range(60)]
    places = [
        encode_place([9.0, float(number % 3)] if number % 2 else [float(number % 3), 9.0]) for number in range(60)
    ]
    await labeler.publish(*stored, wrong, other)
    await labeler.publish(
        *(image_scored(image_id=each.image_id, place=place) for each, place in zip(stored, places, strict=True)),
        image_scored(
            image_id=wrong.image_id, place=places[1], label="grass", probabilities=GRASS
        ),  # the model has learned the label
        image_scored(image_id=other.image_id, place=places[2], full_model_sha256="c" * 64),
    )
    look = LabelDoubts(labeler.tables, settings, TOPICS)

    assert (await look.look(), await look.look()) == (1, 1)
    assert await queue(labeler, "contradicts_data_set") == [(wrong.image_id, "Images like it are dandelion.")]
    await labeler.publish(said(wrong.image_id, "berta", "dandelion"))
    assert await images_in(labeler, "contradicts_data_set") == []
    assert await look.look() == 0
    assert await labeler.tables.fetchval("SELECT count(*) FROM label_doubts") == 0


async def test_people_disagree_until_more_say_one_thing_than_another(labeler: Labeler) -> None:
    image = image_stored(label=None)
    await labeler.publish(image, said(image.image_id, "anna", "grass"), said(image.image_id, "berta", "dandelion", 2))
    assert await queue(labeler, "people_disagree") == [(image.image_id, "People disagree: dandelion or grass.")]

    await labeler.publish(said(image.image_id, "carla", None, 3, no_label="unsure"))
    assert await images_in(labeler, "people_disagree") == [image.image_id]
    await labeler.publish(said(image.image_id, "carla", "grass", 4))
    assert await images_in(labeler, "people_disagree") == []


async def test_a_label_that_came_second_disagrees_and_one_taken_back_does_not(labeler: Labeler) -> None:
    raced, undone, mine = image_stored(), image_stored(), image_stored()
    await labeler.publish(
        raced,
        undone,
        mine,
        said(raced.image_id, "berta", "grass"),
        said(raced.image_id, "carla", "dandelion"),
        said(undone.image_id, "berta", "grass"),
        said(undone.image_id, "carla", "dandelion", 2),
        said(undone.image_id, "carla", None, 3, no_label="withdrawn", restored={"revision": 1, "label": "grass"}),
        said(mine.image_id, "anna", "grass"),
        said(mine.image_id, "berta", None, 2, no_label="none_of_these"),
    )

    assert await images_in(labeler, "people_disagree") == [raced.image_id, mine.image_id]
    assert dict(await queue(labeler, "people_disagree"))[mine.image_id] == "People disagree: grass or none of these."
    await labeler.publish(image_withdrawn(image_id=raced.image_id))
    assert await images_in(labeler, "people_disagree") == [mine.image_id]


async def test_labels_that_the_model_leaves_out_come_with_its_sentence(labeler: Labeler) -> None:
    left, lived, changed = image_stored(), image_stored(), image_stored()
    aside = [
        SetAside(image_id=each.image_id, revision=1, sentence="It breaks others.") for each in (left, lived, changed)
    ]
    await labeler.publish(
        *(event for each in (left, lived, changed) for event in (each, said(each.image_id, "berta", "grass"))),
        model_rejected(version="fast-1", set_aside=tuple(aside)),
        model_trained(version="fast-2", corrections=(AppliedCorrection(image_id=lived.image_id, revision=1),)),
        model_promoted(version="fast-2", sequence=1),
        said(changed.image_id, "carla", "dandelion", 2),
    )

    assert await queue(labeler, "set_aside") == [(left.image_id, "The model leaves its label out: It breaks others.")]


async def test_images_since_a_drift_and_of_today_come_newest_first(labeler: Labeler) -> None:
    now = labeler.clock()
    old = image_stored(label=None, occurred_at=now.replace(year=now.year - 1))
    new = [image_stored(label=None, occurred_at=now.replace(hour=now.hour, minute=minute)) for minute in (1, 2)]
    await labeler.publish(old, *new)

    assert await images_in(labeler, "new_today") == [new[1].image_id, new[0].image_id]
    assert await images_in(labeler, "drifted") == []
    await labeler.publish(drift_detected(statistic="features", window_from=new[0].occurred_at))
    assert set(await images_in(labeler, "drifted")) == {each.image_id for each in new}
    assert (await counts(labeler))["drifted"] == 2


async def test_a_filter_holds_what_others_decided_and_not_what_oneself_did(labeler: Labeler) -> None:
    mine, hers, free, moss = (image_stored(label=label) for label in ("grass", "grass", "grass", "moss"))
    await labeler.publish(
        mine, hers, free, moss, said(mine.image_id, "anna", "grass"), said(hers.image_id, "berta", "grass")
    )

    assert set(await images_in(labeler, "filter", label="grass")) == {hers.image_id, free.image_id}
    assert (
        dict(await queue(labeler, "filter", label="grass"))[hers.image_id] == "A person has decided about it already."
    )
    assert await images_in(labeler, "filter", label="grass", trust="reviewed") == [hers.image_id]
    async with labeler.client("anna") as client:
        body = {"queue": "filter", "filter": {"label": ["moss"]}}
        leased = (await client.post("/review/lease", json=body)).json()
    assert [item["image_id"] for item in leased["items"]] == [str(moss.image_id)]


async def test_each_queue_is_counted_and_can_be_leased(labeler: Labeler) -> None:
    stored = [image_stored(label="grass") for _ in range(3)]
    await labeler.publish(*stored, *(image_scored(image_id=each.image_id, probabilities=DANDELION) for each in stored))

    known = await counts(labeler)
    assert set(known) == set(QUEUES) - {"filter", "to_vote"}
    assert (known["doubtful"], known["contradicts_label"], known["my_skipped"]) == (3, 3, 0)
    async with labeler.client("anna") as anna, labeler.client("berta") as berta:
        for name in QUEUES:
            assert (await anna.post("/review/lease", json={"queue": name, "limit": 1})).status_code == 200
        one = (await anna.post("/review/lease", json={"queue": "contradicts_label", "limit": 2})).json()
        other = (await berta.post("/review/lease", json={"queue": "doubtful", "limit": 20})).json()
    assert not {item["image_id"] for item in one["items"]} & {item["image_id"] for item in other["items"]}


async def test_an_unknown_queue_is_refused(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        answer = await client.get("/review?queue=favourites")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_request")


@pytest.fixture
async def habit(labeler: Labeler) -> list[UUID]:
    """Images of grass in the data set and to the model, six of which berta called dandelion, one after the other."""
    stored = [image_stored(label="grass", trust="seed") for _ in range(8)]
    await labeler.publish(*stored)
    for number, each in enumerate(stored):
        labeler.clock.move(1)
        label = "dandelion" if number < 6 else "grass"
        event = said(each.image_id, "berta", label, shown_label="grass", shown_model_version="v1")
        await labeler.publish(event.model_copy(update={"occurred_at": labeler.clock()}))
    return [each.image_id for each in stored]


async def test_a_habit_is_asked_about_once_and_others_look_again(labeler: Labeler, habit: list[UUID]) -> None:
    asked = (await labeler.get("/review", "berta"))["double_check"]
    assert (asked["contradicting"], asked["decisions"]) == (6, 8)
    assert (await labeler.get("/review", "anna"))["double_check"] is None
    assert await images_in(labeler, "second_look") == habit[5::-1]
    assert await images_in(labeler, "second_look", "berta") == []

    async with labeler.client("berta") as client:
        for _ in range(2):  # a repetition changes nothing
            answer = await client.post("/review/double-check", json={"asked_about": asked["asked_about"]})
            assert answer.status_code == 200
    assert (await labeler.get("/review", "berta"))["double_check"] is None
    assert len(await images_in(labeler, "second_look")) == 6


async def test_a_second_person_ends_the_second_look_either_way(labeler: Labeler, habit: list[UUID]) -> None:
    await labeler.publish(said(habit[0], "anna", "dandelion", 2), said(habit[1], "anna", "grass", 2))

    assert await images_in(labeler, "second_look", "olga") == habit[5:1:-1]
    await labeler.publish(said(habit[2], "anna", "dandelion", 2))
    assert await images_in(labeler, "second_look", "olga") == []  # two of six were right: that is no habit
    assert (await labeler.get("/review", "berta"))["double_check"] is None
