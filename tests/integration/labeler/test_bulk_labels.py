"""Many labels set in one request: each image has an outcome of its own."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.clients.bulk import MAX_BULK, BulkCorrection, correct_labels
from shared.contract.events import LabelCorrected
from shared.http.limits import FORM_BYTES
from shared.testing import image_registered, image_scored, image_stored, image_withdrawn

from .conftest import Labeler


async def stored(labeler: Labeler, number: int) -> list[UUID]:
    """Store so many images."""
    images = [image_stored(trust="claimed", label="grass") for _ in range(number)]
    await labeler.publish(*images)
    return [image.image_id for image in images]


async def set_labels(labeler: Labeler, *items: dict[str, Any], who: str = "anna", key: str | None = None) -> Any:
    """Send a bulk correction, which must be answered with 200, and return its outcomes."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"items": [{"revision": 0, **item, "image_id": str(item["image_id"])} for item in items]}
    async with labeler.client(who) as client:
        response = await client.post("/images/labels", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()["items"]


def corrections(labeler: Labeler) -> list[LabelCorrected]:
    return labeler.event_log.events(LabelCorrected)


async def test_each_image_has_its_own_outcome_in_the_order_asked(labeler: Labeler) -> None:
    applied, contested, gone = await stored(labeler, 3)
    waiting = image_registered()
    await labeler.publish(waiting, image_withdrawn(image_id=gone))
    await labeler.correct("berta", contested, "dandelion", 0)
    asked = [contested, uuid4(), applied, waiting.image_id, gone]
    found = await set_labels(labeler, *({"image_id": each, "label": "grass"} for each in asked))

    assert [UUID(each["image_id"]) for each in found] == asked
    assert [each["outcome"] for each in found] == [
        "superseded",
        "image_unknown",
        "applied",
        "image_not_stored",
        "image_withdrawn",
    ]
    assert (found[0]["label"], found[0]["revision"]) == ("dandelion", 1)
    assert "berta was first" in found[0]["detail"]
    assert (found[2]["label"], found[2]["revision"]) == ("grass", 1)
    assert sorted(each.image_id for each in corrections(labeler)) == sorted((contested, applied))


async def test_labels_flags_and_withdrawals_go_together(labeler: Labeler) -> None:
    first, second, third, fourth = await stored(labeler, 4)
    await labeler.correct("berta", third, "dandelion", 0)
    found = await set_labels(
        labeler,
        {"image_id": first, "label": "dandelion"},
        {"image_id": second, "no_label": "unusable"},
        {"image_id": third, "no_label": "withdrawn", "revision": 1},
        {"image_id": fourth, "no_label": "withdrawn"},
    )
    assert [(each["outcome"], each["label"]) for each in found] == [
        ("applied", "dandelion"),
        ("applied", None),
        ("applied", "grass"),
        ("nothing_to_withdraw", None),
    ]
    shown = await labeler.get(f"/images/{third}")
    assert (shown["label"], shown["trust"], shown["revision"]) == ("grass", "claimed", 2)


async def test_the_same_key_again_publishes_nothing_new(labeler: Labeler) -> None:
    first, second = await stored(labeler, 2)
    items = ({"image_id": first, "label": "dandelion"}, {"image_id": second, "label": "dandelion"})
    once = await set_labels(labeler, items[0], key="k")
    both = await set_labels(labeler, *items, key="k")
    again = await set_labels(labeler, *items, key="k")

    assert (both[0], again) == (once[0], both)
    assert len(corrections(labeler)) == 2
    other = await set_labels(labeler, {"image_id": first, "label": "grass", "revision": 1}, key="k")
    assert other[0]["outcome"] == "key_reused"
    single = await labeler.correct("anna", first, "dandelion", 0, key="k")
    assert single.json()["event_id"] == once[0]["event_id"]


async def test_the_answer_that_was_seen_is_kept_if_it_is_still_the_newest(labeler: Labeler) -> None:
    first, second = await stored(labeler, 2)
    scored = [image_scored(image_id=each) for each in (first, second)]
    await labeler.publish(*scored)
    seen = scored[0].answer
    assert seen is not None
    await set_labels(
        labeler,
        {"image_id": first, "label": "grass", "prediction_id": str(seen.prediction_id)},
        {"image_id": second, "label": "grass", "prediction_id": str(uuid4())},
    )
    by_image = {each.image_id: each for each in corrections(labeler)}
    assert (by_image[first].shown_label, by_image[first].shown_model_version) == (seen.label, seen.model_version)
    assert by_image[second].shown_label is None


@pytest.mark.usefixtures("no_waiting")
async def test_what_the_tables_do_not_show_in_time_is_accepted(labeler: Labeler) -> None:
    [image_id] = await stored(labeler, 1)
    async with labeler.tables.lock("replay"), labeler.tables.transaction() as transaction:
        await transaction.execute("LOCK TABLE label_history IN EXCLUSIVE MODE")
        [found] = await set_labels(labeler, {"image_id": image_id, "label": "dandelion"}, key="k")
    assert found["outcome"] == "accepted"
    [event] = corrections(labeler)
    assert found["event_id"] == str(event.event_id)


async def test_what_cannot_be_asked_is_refused_before_anything_is_published(labeler: Labeler) -> None:
    [image_id] = await stored(labeler, 1)
    item = {"image_id": str(image_id), "label": "grass", "revision": 0}
    async with labeler.client("anna") as client, labeler.client() as stranger:
        answers = [
            await client.post("/images/labels", json={"items": items})
            for items in ([], [item, item], [{**item, "no_label": "unsure"}], [item] * (MAX_BULK + 1))
        ]
        unknown = await client.post("/images/labels", json={"items": [{**item, "label": "oak"}]})
        nameless = await stranger.post("/images/labels", json={"items": [item]})
    assert [each.status_code for each in answers] == [422] * 4
    assert "name each image once" in answers[1].json()["detail"]
    assert [each["outcome"] for each in unknown.json()["items"]] == ["unknown_label"]
    assert nameless.status_code == 401
    assert corrections(labeler) == []


async def test_the_most_images_of_a_request_fit_into_its_body(labeler: Labeler) -> None:
    images = await stored(labeler, MAX_BULK)
    request = correct_labels([BulkCorrection(each, 0, "dandelion", prediction_id=uuid4()) for each in images])
    assert request.json is not None
    async with labeler.client("anna") as client:
        response = await client.post(request.path, json=request.json)
    assert len(response.request.content) < FORM_BYTES
    result = request.read(response.content)
    assert (len(result.items), result.outcome) == (MAX_BULK, "applied")


async def test_a_label_that_is_taken_back_leaves_a_line_in_the_audit_log(
    labeler: Labeler, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = await stored(labeler, 2)
    await labeler.correct("berta", first, "dandelion", 0)
    capsys.readouterr()
    await set_labels(
        labeler, {"image_id": first, "no_label": "withdrawn", "revision": 1}, {"image_id": second, "label": "grass"}
    )
    [line] = [each for each in capsys.readouterr().out.splitlines() if "act=withdraw" in each]
    assert (str(first) in line, "outcome=applied" in line, str(second) in line) == (True, True, False)
