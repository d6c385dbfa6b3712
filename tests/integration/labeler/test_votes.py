"""A label needs two equal votes of at most three people: blind, decided once, over races, repetitions and restarts."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import pytest

from services.labeler.settings import LabelerSettings
from shared.contract.events import LabelCorrected
from shared.contract.votes import LabelVoted
from shared.tables.database import Database
from shared.testing import eventually, image_scored, image_stored

from .conftest import Labeler, running, token

VOTERS = {"anna": "labeler", "berta": "labeler", "carl": "labeler", "dora": "labeler"}


@pytest.fixture
def settings(settings: LabelerSettings) -> LabelerSettings:
    """Two of three."""
    return settings.model_copy(update={"votes_needed": 2, "votes_at_most": 3})


@pytest.fixture
async def known(tables: Database, known: None) -> None:
    """Two more labelers."""
    for name, role in VOTERS.items():
        insert = "INSERT INTO users (name, role, password_hash) VALUES ($1, $2, '') ON CONFLICT DO NOTHING"
        await tables.execute(insert, name, role)


@pytest.fixture
async def voting(labeler: Labeler) -> Labeler:
    """An API whose labels are voted about."""
    labeler.tokens |= {name: token(name) for name in VOTERS}
    return labeler


async def stored(labeler: Labeler, **changes: Any) -> UUID:
    image = image_stored(trust="claimed", label=None, **changes)
    scored = image_scored(image_id=image.image_id, label="grass", probabilities={"grass": 0.6, "dandelion": 0.4})
    await labeler.publish(image, scored)
    return image.image_id


async def say(labeler: Labeler, who: str, image_id: UUID, key: str = "", **body: Any) -> tuple[int, Any]:
    async with labeler.client(who) as client:
        headers = {"Idempotency-Key": key} if key else {}
        answer = await client.post(f"/images/{image_id}/label", json={"revision": 0, **body}, headers=headers)
    return answer.status_code, answer.json()


def decisions(labeler: Labeler) -> list[LabelCorrected]:
    return labeler.event_log.events(LabelCorrected)


async def decided(labeler: Labeler, image_id: UUID, revision: int = 1) -> Any:
    """Wait until the label has this revision; return the image."""

    async def look() -> bool:
        return bool((await labeler.get(f"/images/{image_id}"))["revision"] == revision)

    await eventually(look)
    return await labeler.get(f"/images/{image_id}")


async def queue(labeler: Labeler, who: str, name: str) -> Any:
    return await labeler.get(f"/review?queue={name}", who)


async def in_queue(labeler: Labeler, who: str, name: str) -> list[str]:
    return [item["image_id"] for item in (await queue(labeler, who, name))["items"]]


async def test_two_equal_votes_are_one_label_that_names_both(voting: Labeler) -> None:
    image_id = await stored(voting)
    status, first = await say(voting, "anna", image_id, label="dandelion", reason="yellow")
    between = await voting.get(f"/images/{image_id}")
    _, second = await say(voting, "berta", image_id, label="dandelion")
    image = await decided(voting, image_id)

    assert (status, first["state"], first["label"], first["revision"]) == (200, "voted", "dandelion", 0)
    assert (between["label"], between["revision"], between["trust"]) == (None, 0, "claimed")
    assert second["state"] == "voted"
    assert (image["label"], image["trust"]) == ("dandelion", "reviewed")
    [event] = decisions(voting)
    assert (event.voters, event.corrected_by, event.reason) == (("anna", "berta"), "anna, berta", "yellow")
    assert {UUID(first["event_id"]), UUID(second["event_id"])} == set(event.causes)


async def test_the_next_image_goes_to_who_has_not_voted(voting: Labeler) -> None:
    image_id = str(await stored(voting))
    before = await in_queue(voting, "berta", "to_vote")
    await say(voting, "anna", UUID(image_id), label="dandelion")

    assert before == []
    assert [await in_queue(voting, "anna", name) for name in ("to_vote", "doubtful", "new_today")] == [[], [], []]
    assert [await in_queue(voting, "berta", name) for name in ("to_vote", "doubtful")] == [[image_id], [image_id]]
    counts = {each["queue"]: each["waiting"] for each in (await voting.get("/review/queues", "berta"))["queues"]}
    assert counts["to_vote"] == 1
    await say(voting, "berta", UUID(image_id), label="grass")
    assert await in_queue(voting, "carl", "to_vote") == [image_id]


async def test_three_different_votes_are_for_a_person_to_settle(voting: Labeler) -> None:
    image_id = await stored(voting)
    for who, label in (("anna", "dandelion"), ("berta", "grass")):
        await say(voting, who, image_id, label=label)
    await say(voting, "carl", image_id, no_label="unsure")
    disagree = await queue(voting, "anna", "people_disagree")
    nothing = [await in_queue(voting, "dora", name) for name in ("to_vote",)]
    status, settled = await say(voting, "dora", image_id, label="grass")

    assert [item["image_id"] for item in disagree["items"]] == [str(image_id)]
    assert "dandelion" in disagree["items"][0]["reason"]
    assert "grass" in disagree["items"][0]["reason"]
    assert nothing == [[]]
    assert (status, settled["state"], settled["label"], settled["revision"]) == (200, "applied", "grass", 1)
    assert [(event.corrected_by, event.voters) for event in decisions(voting)] == [("dora", ())]
    assert await in_queue(voting, "anna", "people_disagree") == []


async def test_a_vote_can_be_changed_and_taken_back_until_it_counts(voting: Labeler) -> None:
    image_id = await stored(voting)
    await say(voting, "anna", image_id, label="grass")
    await say(voting, "anna", image_id, label="dandelion")
    _, back = await say(voting, "anna", image_id, no_label="withdrawn")
    again = await in_queue(voting, "anna", "doubtful")
    await say(voting, "berta", image_id, label="dandelion")
    assert decisions(voting) == []
    await say(voting, "anna", image_id, label="dandelion")
    await decided(voting, image_id)
    late = await say(voting, "anna", image_id, no_label="withdrawn")
    counted = await say(voting, "anna", image_id, no_label="withdrawn", revision=1)

    assert (back["state"], back["no_label"], back["revision"]) == ("voted", "withdrawn", 0)
    assert again == [str(image_id)]
    assert (late[0], late[1]["error"]) == (409, "superseded")
    assert (counted[0], counted[1]["error"]) == (409, "decided_by_votes")


async def test_an_operator_settles_at_once_or_votes_where_asked(voting: Labeler) -> None:
    settled, voted = await stored(voting), await stored(voting)
    await say(voting, "anna", settled, label="dandelion")
    _, at_once = await say(voting, "olga", settled, label="grass")
    _, vote = await say(voting, "olga", voted, label="grass", vote=True)

    assert (at_once["state"], at_once["revision"]) == ("applied", 1)
    assert vote["state"] == "voted"
    assert [event.image_id for event in decisions(voting)] == [settled]
    assert await in_queue(voting, "berta", "to_vote") == [str(voted)]


async def test_a_repeated_vote_is_one_and_a_reused_key_is_refused(voting: Labeler) -> None:
    image_id = await stored(voting)
    first = await say(voting, "anna", image_id, key="one", label="dandelion")
    second = await say(voting, "anna", image_id, key="one", label="dandelion")
    other = await say(voting, "anna", image_id, key="one", label="grass")
    for event in voting.event_log.events(LabelVoted):
        await voting.publish(event)

    assert first == second
    assert (other[0], other[1]["error"]) == (422, "key_reused")
    assert await voting.tables.fetchval("SELECT number FROM open_votes WHERE image_id = $1", image_id) == 1
    assert len(voting.event_log.events(LabelVoted)) == 2
    assert decisions(voting) == []


async def test_two_labelers_and_votes_at_the_same_moment_make_one_label(
    voting: Labeler, settings: LabelerSettings
) -> None:
    images = [await stored(voting) for _ in range(5)]
    async with running(settings, voting.event_log, voting.store) as (app, health):
        other = Labeler(app, health, voting.event_log, voting.store, voting.clock, voting.tables, voting.tokens)
        for image_id in images:
            sides = zip((voting, other, voting), ("anna", "berta", "carl"), strict=True)
            await asyncio.gather(*(say(labeler, who, image_id, label="dandelion") for labeler, who in sides))
        for image_id in images:
            image = await decided(other, image_id)
            assert image["label"] == "dandelion"
    applied = "SELECT image_id, count(*) AS number FROM label_history WHERE applied GROUP BY image_id"
    assert {row["image_id"]: row["number"] for row in await voting.tables.fetch(applied)} == dict.fromkeys(images, 1)
    assert len({event.event_id for event in decisions(voting)}) == len(images)


async def test_votes_that_decided_before_a_restart_are_a_label_after_it(
    voting: Labeler, settings: LabelerSettings
) -> None:
    """As if the labeler had ended between the votes and their label."""
    image_id = await stored(voting)
    await say(voting, "anna", image_id, label="dandelion")
    alone = settings.model_copy(update={"votes_needed": 3, "votes_at_most": 3})
    async with running(alone, voting.event_log, voting.store):
        pass
    await say(voting, "berta", image_id, label="dandelion")
    await decided(voting, image_id)
    assert len(decisions(voting)) == 1


async def test_no_answer_tells_another_reviewer_how_somebody_voted(voting: Labeler) -> None:
    image_id = await stored(voting)
    before = {path: await voting.get(path, "berta") for path in _pages(image_id)}
    await say(voting, "anna", image_id, label="dandelion", reason="secret")
    after = {path: await voting.get(path, "berta") for path in _pages(image_id)}
    listed = await voting.get("/review?queue=to_vote", "berta")
    async with voting.client("berta") as client:
        asked = await client.get("/events?type=label.voted")

    assert after == before
    assert (listed["blind"], listed["items"][0]["prediction"], listed["items"][0]["label"]) == (True, None, None)
    assert "anna" not in str(listed)
    assert asked.json()["error"] == "type_unknown"


def _pages(image_id: UUID) -> list[str]:
    """Everything that a reviewer can read about an image or another person."""
    of_image = [f"/images/{image_id}", *(f"/images/{image_id}/{part}" for part in ("history", "story"))]
    return [
        *of_image,
        "/images?facets=true",
        "/images?decided_by=anna",
        "/events",
        "/decisions?by=anna",
        "/conflicts",
        "/review?queue=doubtful",
    ]


async def test_taking_a_voter_out_lets_the_votes_of_the_others_count_again(voting: Labeler) -> None:
    image_id = await stored(voting)
    for who in ("anna", "berta"):
        await say(voting, who, image_id, label="dandelion")
    await decided(voting, image_id)
    theirs = await voting.get("/decisions?by=anna", "olga")
    done = [await take_out(voting, image_id, "anna") for _ in range(2)]
    open_again = await voting.get(f"/images/{image_id}")
    waiting = {who: await in_queue(voting, who, "to_vote") for who in ("anna", "berta", "carl")}
    await say(voting, "carl", image_id, label="dandelion", revision=2)
    image = await decided(voting, image_id, 3)

    assert [each["image_id"] for each in theirs["held"]] == [str(image_id)]
    assert [each["state"] for each in done] == ["taken_out", "nothing"]
    assert (open_again["label"], open_again["revision"], open_again["trust"]) == (None, 2, "claimed")
    assert waiting == {"anna": [str(image_id)], "berta": [], "carl": [str(image_id)]}
    assert image["label"] == "dandelion"
    assert decisions(voting)[-1].voters == ("berta", "carl")
    await take_out(voting, image_id, "berta")
    await say(voting, "dora", image_id, label="dandelion", revision=4)
    await decided(voting, image_id, 5)
    assert decisions(voting)[-1].voters == ("carl", "dora")


async def test_an_open_vote_can_be_taken_out_and_is_listed_for_operators(voting: Labeler) -> None:
    image_id = await stored(voting)
    await say(voting, "anna", image_id, label="dandelion")
    listed = {who: (await voting.get("/decisions?by=anna", who))["voted"] for who in ("anna", "berta", "olga")}
    mine = await voting.get("/me", "anna")
    done = await take_out(voting, image_id, "anna")
    await say(voting, "berta", image_id, label="dandelion")

    assert listed == {"anna": [str(image_id)], "berta": [], "olga": [str(image_id)]}
    assert mine["work"]["votes"] == 1
    assert done["state"] == "taken_out"
    assert await in_queue(voting, "anna", "to_vote") == [str(image_id)]
    assert decisions(voting) == []


async def test_bulk_labels_of_a_labeler_are_votes_and_an_operators_settle(voting: Labeler) -> None:
    one, two = await stored(voting), await stored(voting)
    items = [{"image_id": str(each), "label": "grass", "revision": 0} for each in (one, two)]
    votes = [await bulk(voting, "anna", items, "k") for _ in range(2)]
    settled = await bulk(voting, "olga", items[:1], "k")

    assert [[item["outcome"] for item in each["items"]] for each in votes] == [["voted", "voted"]] * 2
    assert len(voting.event_log.events(LabelVoted)) == 2
    assert [(item["outcome"], item["revision"]) for item in settled["items"]] == [("applied", 1)]
    assert await in_queue(voting, "berta", "to_vote") == [str(two)]


async def test_what_was_left_for_later_is_done_with_a_vote(voting: Labeler) -> None:
    image_id = await stored(voting)
    async with voting.client("anna") as client:
        await client.post("/review/skipped", json={"image_id": str(image_id), "revision": 0})
    before = await in_queue(voting, "anna", "my_skipped")
    await say(voting, "anna", image_id, label="grass")
    after = await queue(voting, "anna", "my_skipped")
    assert (before, after["items"], after["skipped"]) == ([str(image_id)], [], 0)


async def test_a_label_that_comes_with_known_bytes_is_a_vote(voting: Labeler) -> None:
    data = b"the bytes of a picture"
    image_id = await stored(voting, sha256=hashlib.sha256(data).hexdigest())
    async with voting.client("anna") as client:
        again = await client.post("/images", files={"file": ("a.png", data, "image/png")}, data={"label": "grass"})

    assert (again.status_code, again.json()["image_id"], again.json()["label"]) == (200, str(image_id), None)
    assert [(event.voted_by, event.label) for event in voting.event_log.events(LabelVoted)] == [("anna", "grass")]
    assert decisions(voting) == []


async def take_out(labeler: Labeler, image_id: UUID, person: str) -> Any:
    async with labeler.client("olga") as client:
        answer = await client.post(f"/images/{image_id}/take-out", json={"person": person, "reason": "random"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def bulk(labeler: Labeler, who: str, items: list[dict[str, Any]], key: str) -> Any:
    async with labeler.client(who) as client:
        answer = await client.post("/images/labels", json={"items": items}, headers={"Idempotency-Key": key})
    assert answer.status_code == 200, answer.text
    return answer.json()
