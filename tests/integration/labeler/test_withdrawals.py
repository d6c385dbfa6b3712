"""A person takes a label away: the image is as it was before, or leaves the review without a label."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from shared.contract.events import AppliedCorrection, HeldLabel, LabelCorrected
from shared.testing import image_stored, label_corrected, model_promoted, model_trained

from .conftest import Labeler


async def take_away(
    labeler: Labeler, image_id: UUID, revision: int, why: str = "withdrawn", key: str | None = None, who: str = "anna"
) -> httpx2.Response:
    """Correct the image to no label."""
    async with labeler.client(who) as client:
        body = {"label": None, "no_label": why, "revision": revision}
        headers = {"Idempotency-Key": key} if key else {}
        return await client.post(f"/images/{image_id}/label", json=body, headers=headers)


async def as_people_see(labeler: Labeler, image_id: UUID) -> tuple[dict[str, Any], Any]:
    """Return the image and the review queue, without the number of the revision."""
    image, queue = await labeler.get(f"/images/{image_id}"), await labeler.get("/review")
    for part in (image, *queue["items"]):
        del part["revision"]
    del image["corrected_by"]
    return image, queue


@pytest.mark.parametrize(
    ("label", "trust"), [("dandelion", "seed"), ("dandelion", "claimed"), (None, "claimed")], ids=str
)
async def test_a_withdrawn_first_label_leaves_the_image_as_before(
    labeler: Labeler, label: str | None, trust: str
) -> None:
    stored = image_stored(label=label, trust=trust)
    await labeler.publish(stored, image_stored(trust="seed"))
    before = await as_people_see(labeler, stored.image_id)
    await labeler.correct("anna", stored.image_id, "grass", 0)

    answer = await take_away(labeler, stored.image_id, 1)

    assert (answer.status_code, answer.json()["label"], answer.json()["revision"]) == (200, label, 2)
    assert await as_people_see(labeler, stored.image_id) == before


async def test_withdrawals_go_back_one_decision_at_a_time(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion", trust="seed")
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)
    await labeler.correct("berta", stored.image_id, "dandelion", 1)

    first = await take_away(labeler, stored.image_id, 2, who="berta")
    image = await labeler.get(f"/images/{stored.image_id}")
    second = await take_away(labeler, stored.image_id, 3)
    again = await take_away(labeler, stored.image_id, 4)

    assert (first.json()["label"], image["trust"], image["decided_in"]) == ("grass", "reviewed", 1)
    assert second.json()["label"] == "dandelion"
    assert (await labeler.get(f"/images/{stored.image_id}"))["trust"] == "seed"
    assert (again.status_code, again.json()["error"]) == (409, "nothing_to_withdraw")
    assert [event.restored for event in labeler.event_log.events(LabelCorrected)[2:]] == [
        HeldLabel(revision=1, label="grass"),
        None,
    ]


@pytest.mark.parametrize("why", ["none_of_these", "unusable"])
async def test_an_image_without_a_right_label_leaves_the_review(labeler: Labeler, why: str) -> None:
    stored = image_stored(label="dandelion", trust="seed")
    await labeler.publish(stored)

    answer = await take_away(labeler, stored.image_id, 0, why)

    assert (answer.status_code, answer.json()["label"], answer.json()["no_label"]) == (200, None, why)
    image = await labeler.get(f"/images/{stored.image_id}")
    assert (image["label"], image["no_label"]) == (None, why)
    assert (await labeler.get("/review")).items() >= {"items": [], "waiting": 0}.items()


async def test_an_image_a_person_is_unsure_about_waits_at_the_end(labeler: Labeler) -> None:
    unsure, seed = image_stored(label=None, trust="claimed"), image_stored(trust="seed")
    await labeler.publish(unsure, seed)

    await take_away(labeler, unsure.image_id, 0, "unsure")

    queue = await labeler.get("/review")
    assert [UUID(item["image_id"]) for item in queue["items"]] == [seed.image_id, unsure.image_id]
    assert queue["items"][1]["reason"] == "A person looked at it and was unsure."


async def test_a_withdrawal_of_a_stale_revision_names_the_current_label(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion", trust="seed")
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)
    await take_away(labeler, stored.image_id, 1)

    late = await labeler.correct("berta", stored.image_id, "grass", 1)

    facts = {"error": "superseded", "label": "dandelion", "revision": 2, "corrected_by": "anna"}
    assert facts.items() <= late.json().items()


async def test_a_repeated_withdrawal_with_its_key_counts_once(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion", trust="seed")
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)

    answers = [await take_away(labeler, stored.image_id, 1, key="k") for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len(labeler.event_log.events(LabelCorrected)) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"revision": 0},
        {"label": None, "revision": 0},
        {"label": "grass", "no_label": "unsure", "revision": 0},
        {"label": None, "no_label": "bored", "revision": 0},
    ],
)
async def test_a_body_that_says_two_things_or_nothing_is_refused(labeler: Labeler, body: dict[str, Any]) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    async with labeler.client("anna") as client:
        answer = await client.post(f"/images/{stored.image_id}/label", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_request")


async def test_a_withdrawal_is_live_in_the_first_model_without_the_label(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion", trust="seed")
    mine = AppliedCorrection(image_id=stored.image_id, revision=1)
    await labeler.publish(
        stored,
        label_corrected(image_id=stored.image_id),
        model_trained(version="v1"),
        model_promoted(version="v1", sequence=1),
        model_trained(version="fast-1", lane="fast", corrections=(mine,)),
        model_promoted(version="fast-1", sequence=2),
    )
    await take_away(labeler, stored.image_id, 1)
    assert (await labeler.get(f"/images/{stored.image_id}/history"))[2]["live_in"] is None

    await labeler.publish(model_trained(version="fast-2", lane="fast"), model_promoted(version="fast-2", sequence=3))

    entry = (await labeler.get(f"/images/{stored.image_id}/history"))[2]
    assert (entry["no_label"], entry["label_to"], entry["live_in"]) == ("withdrawn", None, "fast-2")


async def test_a_label_no_model_learned_is_gone_at_once(labeler: Labeler) -> None:
    stored = image_stored(label="dandelion", trust="seed")
    await labeler.publish(stored, model_trained(version="v1"), model_promoted(version="v1", sequence=1))
    await labeler.correct("anna", stored.image_id, "grass", 0)

    await take_away(labeler, stored.image_id, 1)

    entry = (await labeler.get(f"/images/{stored.image_id}/history"))[2]
    assert (entry["live_in"], entry["live_at"]) == ("v1", entry["occurred_at"])
