"""An operator adds a class and renames one, and everyone labels with it at once."""

import asyncio
import csv
import io
from typing import Any
from uuid import UUID

from shared.contract.events import SetAside
from shared.contract.label_set import LabelSetChanged, quoted
from shared.testing import image_scored, image_stored, label_set_changed, model_rejected, model_trained

from .conftest import Labeler


async def change(labeler: Labeler, method: str, path: str, who: str = "olga", key: str = "", **body: Any) -> Any:
    """Send a change of the classes; its status and its body."""
    headers = {"Idempotency-Key": key} if key else {}
    async with labeler.client(who) as client:
        answer = await client.request(method, path, json=body, headers=headers)
    return answer.status_code, answer.json()


def changes(labeler: Labeler) -> list[LabelSetChanged]:
    return labeler.event_log.events(LabelSetChanged)


async def stored(labeler: Labeler, label: str | None = "grass") -> UUID:
    image = image_stored(trust="claimed", label=label)
    await labeler.publish(image)
    return image.image_id


async def test_an_added_class_can_be_chosen_as_soon_as_the_answer_is_there(labeler: Labeler) -> None:
    image_id = await stored(labeler)
    before = await labeler.correct("anna", image_id, "wild daisy", 0)
    status, added = await change(labeler, "POST", "/classes", name=" wild daisy ", reason="They are on the lawn.")
    after = await labeler.correct("anna", image_id, "wild daisy", 0)

    assert (before.status_code, before.json()["error"]) == (422, "unknown_label")
    assert (status, added["id"], added["name"], added["revision"]) == (200, "wild daisy", "wild daisy", 1)
    assert (after.status_code, after.json()["label"]) == (200, "wild daisy")
    assert (await labeler.get("/labels"))["labels"] == ["dandelion", "grass", "wild daisy"]
    [event] = changes(labeler)
    assert (event.changed_by, event.reason, event.change, event.class_id) == (
        "olga",
        "They are on the lawn.",
        "added",
        "wild daisy",
    )
    shown = {one["id"]: (one["images"], one["model"]) for one in await labeler.get("/classes")}
    assert shown == {"dandelion": (0, "unknown"), "grass": (0, "unknown"), "wild daisy": (1, "unknown")}


async def test_a_new_name_changes_what_people_read_and_no_label(labeler: Labeler) -> None:
    image_id = await stored(labeler)
    await change(labeler, "PATCH", "/classes/grass", name="lawn")
    status, renamed = await change(labeler, "PATCH", "/classes/lawn", name="turf")
    by_name = await labeler.correct("anna", image_id, "turf", 0)
    by_former = await labeler.correct("berta", image_id, "lawn", 1)

    assert (status, renamed["id"], renamed["name"], renamed["revision"]) == (200, "grass", "turf", 2)
    assert [answer.json()["label"] for answer in (by_name, by_former)] == ["grass", "grass"]
    assert (await labeler.get("/labels"))["names"] == {"dandelion": "dandelion", "grass": "turf"}
    assert (await labeler.get(f"/images/{image_id}"))["label"] == "grass"
    found = await labeler.get("/images?label=turf&facets=true")
    assert [item["label"] for item in found["items"]] == ["grass"]
    async with labeler.client("anna") as client:
        exported = (await client.get("/images/export", params={"format": "csv", "label": "lawn"})).text
    assert [row["label"] for row in csv.DictReader(io.StringIO(exported))] == ["turf"]


async def test_what_the_person_saw_is_compared_by_label(labeler: Labeler) -> None:
    image_id = await stored(labeler)
    await labeler.publish(
        image_scored(image_id=image_id, label="grass", probabilities={"grass": 0.9, "dandelion": 0.1})
    )
    await change(labeler, "PATCH", "/classes/grass", name="lawn")
    async with labeler.client("anna") as client:
        body = {"label": "lawn", "revision": 0, "shown_label": "lawn", "shown_model_version": "full-1"}
        await client.post(f"/images/{image_id}/label", json=body)
    [row] = await labeler.tables.fetch("SELECT * FROM shown_answers")
    assert (row["answers"], row["agreed"]) == (1, 1)


async def test_changes_that_cannot_be_made_say_why(labeler: Labeler) -> None:
    taken = await change(labeler, "POST", "/classes", name="Grass")
    none = await change(labeler, "PATCH", "/classes/moss", name="lichen")
    empty = await change(labeler, "POST", "/classes", name="")
    forbidden = await change(labeler, "POST", "/classes", who="anna", name="moss")

    assert (taken[0], taken[1]["error"]) == (422, "class_unfit")
    assert taken[1]["detail"] == "There is a class 'grass'. Choose another name."
    assert (none[0], none[1]["error"]) == (404, "class_unknown")
    assert (empty[0], forbidden[0]) == (422, 403)
    assert changes(labeler) == []


async def test_a_repeated_command_changes_nothing_again(labeler: Labeler) -> None:
    first = await change(labeler, "POST", "/classes", name="moss", key="one")
    again = await change(labeler, "POST", "/classes", name="moss", key="one")
    same = await change(labeler, "PATCH", "/classes/moss", name="moss")
    assert first == again
    assert (same[0], same[1]["revision"], same[1]["event_id"]) == (200, 1, None)
    assert len(changes(labeler)) == 1


async def test_those_who_change_the_classes_at_once_all_succeed(labeler: Labeler) -> None:
    names = ["moss", "rose", "clover"]
    done = await asyncio.gather(*(change(labeler, "POST", "/classes", name=name) for name in names))
    assert {status for status, _ in done} == {200}
    labels = (await labeler.get("/labels"))["labels"]
    assert labels[:2] == ["dandelion", "grass"]
    assert sorted(labels[2:]) == sorted(names)


async def test_a_class_whose_name_has_a_slash_is_renamed(labeler: Labeler) -> None:
    await change(labeler, "POST", "/classes", name="a/b c")
    status, renamed = await change(labeler, "PATCH", "/classes/a%2Fb%20c", name="ab")
    assert (status, renamed["id"], renamed["name"]) == (200, "a/b c", "ab")


async def test_repeated_and_later_events_are_folded_once(labeler: Labeler) -> None:
    event = label_set_changed()
    await labeler.publish(event, event, label_set_changed({"x": "x"}, revision=3))
    rows = await labeler.tables.fetch("SELECT revision FROM label_sets")
    assert [row["revision"] for row in rows] == [1]
    assert (await labeler.get("/labels"))["labels"] == ["dandelion", "grass", "moss"]


async def test_queues_are_asked_for_and_say_why_in_the_names_of_now(labeler: Labeler) -> None:
    image_id = await stored(labeler, "dandelion")
    await labeler.publish(image_scored(image_id=image_id))
    await change(labeler, "PATCH", "/classes/grass", name="lawn")
    await labeler.correct("anna", image_id, "lawn", 0)
    await labeler.correct("berta", image_id, "dandelion", 1)

    disputed = await labeler.get("/review?queue=people_disagree")
    by_name = await labeler.get("/review?queue=filter&label=dandelion", "olga")
    by_other = await labeler.get("/review?queue=filter&label=lawn", "olga")
    assert [item["reason"] for item in disputed["items"]] == ["People disagree: dandelion or lawn."]
    assert [item["image_id"] for item in by_name["items"]] == [str(image_id)]
    assert by_other["items"] == []
    await labeler.correct("anna", image_id, "lawn", 2)
    again = await labeler.get("/review?queue=filter&label=lawn", "olga")
    assert [item["label"] for item in again["items"]] == ["grass"]


async def test_sentences_of_the_api_are_in_the_names_of_now(labeler: Labeler) -> None:
    image_id = await stored(labeler, "grass")
    await labeler.publish(image_scored(image_id=image_id, label="grass", probabilities={"grass": 0.9}))
    await change(labeler, "PATCH", "/classes/grass", name="lawn")
    [waiting] = (await labeler.get("/review"))["items"]
    waits_for = (await labeler.get("/models/first"))["waits_for"]
    await labeler.correct("anna", image_id, "lawn", 0)
    late = await labeler.correct("berta", image_id, "dandelion", 0)

    assert waiting["reason"] == "The model says lawn (90%); no person has checked it yet."
    assert waiting["label"] == "grass"
    assert ("of lawn" in waits_for, "grass" in waits_for) == (True, False)
    assert "the label is lawn now" in late.json()["detail"]
    assert late.json()["label"] == "grass"


async def test_a_label_that_was_set_aside_says_why_in_the_names_of_now(labeler: Labeler) -> None:
    image_id = await stored(labeler, "grass")
    await labeler.correct("anna", image_id, "dandelion", 0)
    why = f"It could not be answered {quoted('dandelion')}."
    aside = SetAside(image_id=image_id, revision=1, sentence=why)
    await labeler.publish(model_trained(), model_rejected(set_aside=(aside,)))
    await change(labeler, "PATCH", "/classes/dandelion", name="lion's tooth")
    [waiting] = (await labeler.get("/review?queue=set_aside"))["items"]
    [entry] = [one for one in await labeler.get(f"/images/{image_id}/history") if one["revision"] == 1]
    assert waiting["reason"] == "The model leaves its label out: It could not be answered “lion's tooth”."
    assert entry["set_aside"] == why
