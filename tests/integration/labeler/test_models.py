"""Models over HTTP: the list, and the requests of operators to the gate."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.contract.events import (
    ClassFigures,
    PromotionRequested,
    RuleOutcome,
    TrainingRequested,
    VerdictEvidence,
)
from shared.testing import (
    eventually,
    group_on,
    image_stored,
    model_promoted,
    model_rejected,
    model_trained,
    promotion_requested,
    trial_started,
)

from .conftest import Labeler


async def ask(labeler: Labeler, action: str, who: str = "olga", key: str = "k1", **body: Any) -> httpx2.Response:
    """Send a request to the gate."""
    async with labeler.client(who) as client:
        return await client.post(
            f"/models/{action}", json={"reason": "because", **body}, headers={"Idempotency-Key": key}
        )


async def requested(labeler: Labeler) -> PromotionRequested:
    """Return the only promotion.requested."""
    [event] = await eventually(lambda: labeler.event_log.events(PromotionRequested))
    return event


async def test_models_are_listed_newest_first_with_their_state(labeler: Labeler) -> None:
    clock = labeler.clock
    rule = RuleOutcome(rule="floor", outcome="failed", sentence="It gets 40 % right; 70 % are needed.")
    trained = []
    for version in ("old", "now", "bad", "new"):
        clock.move(60)
        trained.append(model_trained(version=version, occurred_at=clock()))
    await labeler.publish(
        *trained,
        model_promoted(version="old", sequence=1),
        model_promoted(version="now", sequence=2),
        model_rejected(version="bad", verdict=(rule,), summary="Below the floor."),
    )

    models = await labeler.get("/models")

    assert [(m["version"], m["state"], m["sequence"]) for m in models] == [
        ("new", "candidate", None),
        ("bad", "rejected", None),
        ("now", "champion", 2),
        ("old", "former", 1),
    ]
    assert models[1]["verdict"][0]["sentence"] == rule.sentence
    assert models[1]["summary"] == "Below the floor."
    assert (await labeler.get("/models/champion"))["version"] == "now"


async def test_a_refused_request_about_a_model_does_not_make_the_model_rejected(labeler: Labeler) -> None:
    request = promotion_requested(version="old", action="override")
    await labeler.publish(
        model_trained(version="old"), request, model_rejected(version="old", answers=request.event_id, summary="No.")
    )

    assert (await labeler.get("/models"))[0]["state"] == "candidate"


async def test_one_model_is_shown_with_what_its_verdict_rests_on(labeler: Labeler) -> None:
    lost = uuid4()
    grass = ClassFigures(label="grass", images=4, right=3, recall=0.75, low=0.3, high=0.95)
    evidence = VerdictEvidence(lost=1, lost_images=(lost,), classes=(grass,), confusion=((3,),))
    await labeler.publish(
        model_trained(version="full-1"),
        model_trained(version="full-2"),
        model_rejected(version="full-1", summary="Worse.", evidence=evidence),
    )
    judged, candidate = await labeler.get("/models/full-1"), await labeler.get("/models/full-2")
    assert judged["evidence"]["lost_images"] == [str(lost)]
    assert judged["evidence"]["classes"][0]["right"] == 3
    assert (judged["waits_for_approval"], candidate["evidence"]) == (False, None)
    assert [one["evidence"] for one in await labeler.get("/models")] == [None, None]
    async with labeler.client("anna") as client:
        unknown = await client.get("/models/full-3")
    assert unknown.status_code == 404
    assert "There is no model 'full-3'" in unknown.json()["detail"]


async def test_a_model_waits_for_approval_until_it_is_promoted(labeler: Labeler) -> None:
    await labeler.publish(
        model_trained(version="full-1"),
        model_rejected(version="full-1", summary="Waits for an operator.", waits_for_approval=True),
    )
    assert (await labeler.get("/models"))[0]["waits_for_approval"] is True
    await labeler.publish(model_promoted(version="full-1", sequence=1, route="approve"))
    assert (await labeler.get("/models"))[0]["waits_for_approval"] is False


async def test_a_candidate_in_trial_says_so_until_it_has_its_verdict(labeler: Labeler) -> None:
    rule = RuleOutcome(rule="accuracy", outcome="passed", sentence="90 of 100 are right.")
    trained = model_trained(version="full-1")
    await labeler.publish(
        trial_started(version="full-1", cause=trained.event_id, verdict=(rule,), summary="Tried first: on 10%."),
        trained,
        trial_started(version="full-1", cause=trained.event_id, event_id=uuid4(), summary="Again."),
    )
    tried = (await labeler.get("/models"))[0]
    assert (tried["state"], tried["summary"]) == ("candidate", "Tried first: on 10%.")
    assert [one["sentence"] for one in tried["verdict"]] == [rule.sentence]
    await labeler.publish(model_rejected(version="full-1", summary="Rejected after a trial: too many differ."))
    judged = await labeler.get("/models/full-1")
    assert (judged["state"], judged["summary"]) == ("rejected", "Rejected after a trial: too many differ.")


async def test_without_a_model_there_is_no_champion(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        answer = await client.get("/models/champion")

    assert (answer.status_code, answer.json()["error"]) == (404, "model_unknown")


async def test_a_rollback_waits_for_the_answer_of_the_gate(labeler: Labeler) -> None:
    await labeler.publish(model_trained(version="old"), model_promoted(version="old", sequence=1))
    asking = asyncio.ensure_future(ask(labeler, "rollback", version="old"))
    event = await requested(labeler)
    assert (event.action, event.version, event.requested_by, event.reason) == ("rollback", "old", "olga", "because")
    await labeler.publish(
        model_promoted(
            version="old", sequence=2, answers=event.event_id, frozen=True, route="rollback", summary="Back to old."
        )
    )

    answer = await asking

    assert answer.status_code == 200
    assert answer.json() == {"outcome": "promoted", "version": "old", "sequence": 2, "summary": "Back to old."}
    assert (await labeler.get("/models/champion"))["frozen"] is True
    assert (await ask(labeler, "rollback", version="old")).json() == answer.json()
    assert len(labeler.event_log.events(PromotionRequested)) == 1


async def test_a_refusal_of_the_gate_is_an_answer(labeler: Labeler) -> None:
    asking = asyncio.ensure_future(ask(labeler, "freeze"))
    event = await requested(labeler)
    await labeler.publish(
        model_rejected(version=None, answers=event.event_id, summary="There is no champion to freeze.")
    )

    answer = await asking

    assert (answer.status_code, answer.json()["outcome"]) == (200, "rejected")
    assert answer.json()["summary"] == "There is no champion to freeze."


async def test_a_promotion_that_does_not_count_is_no_answer(labeler: Labeler) -> None:
    await labeler.publish(model_trained(version="v1"), model_promoted(version="v1", sequence=1))
    asking = asyncio.ensure_future(ask(labeler, "unfreeze"))
    event = await requested(labeler)
    await labeler.publish(model_promoted(version="v2", sequence=1, answers=event.event_id))
    assert not asking.done()
    await labeler.publish(model_promoted(version="v1", sequence=2, answers=event.event_id, route="unfreeze"))

    assert (await asking).json()["sequence"] == 2


@pytest.mark.usefixtures("no_waiting")
async def test_without_an_answer_in_time_a_request_is_202(labeler: Labeler) -> None:
    answer = await ask(labeler, "freeze")

    assert answer.status_code == 202
    assert answer.json()["event_id"] == str((await requested(labeler)).event_id)


async def test_an_unknown_version_is_404(labeler: Labeler) -> None:
    answer = await ask(labeler, "approve", version="nowhere")

    assert (answer.status_code, answer.json()["error"]) == (404, "model_unknown")
    assert labeler.event_log.events(PromotionRequested) == []


async def test_an_operator_may_request_a_training(labeler: Labeler) -> None:
    async with labeler.client("olga") as client:
        answer = await client.post("/trainings", json={"reason": "new camera"})

    assert answer.status_code == 202
    [event] = labeler.event_log.events(TrainingRequested)
    assert (event.reason, event.detail, event.requested_by) == ("person", "new camera", "olga")
    assert answer.json()["event_id"] == str(event.event_id)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("action", ["rollback", "approve", "override"])
async def test_each_version_route_publishes_its_action(labeler: Labeler, action: str) -> None:
    await labeler.publish(model_trained(version="v1"))

    assert (await ask(labeler, action, version="v1")).status_code == 202
    event = await requested(labeler)
    assert (event.action, event.version) == (action, "v1")
    assert (await ask(labeler, action, key="k2")).status_code == 422  # without a version


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("action", ["freeze", "unfreeze"])
async def test_each_freeze_route_publishes_its_action(labeler: Labeler, action: str) -> None:
    assert (await ask(labeler, action)).status_code == 202
    event = await requested(labeler)
    assert (event.action, event.version) == (action, None)


@pytest.mark.parametrize(
    "path",
    [f"/models/{action}" for action in ("rollback", "approve", "override", "freeze", "unfreeze")] + ["/trainings"],
)
async def test_a_labeler_may_not_command_the_gate(labeler: Labeler, path: str) -> None:
    async with labeler.client("anna") as client:
        answer = await client.post(path, json={"reason": "please", "version": "v1"})

    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert "operator" in answer.json()["detail"]


async def test_what_the_first_model_waits_for_is_told(labeler: Labeler) -> None:
    async def waits_for() -> str:
        return str((await labeler.get("/models/first"))["waits_for"])

    assert "20 trusted images of each label; there are 0 of dandelion, 0 of grass" in await waits_for()
    claimed = [image_stored(label=None, trust="claimed", group_id=group_on("test", n)) for n in range(2)]
    seeds = [
        image_stored(label=label, group_id=group_on("train", 100 * (label == "grass") + n))
        for label in ("dandelion", "grass")
        for n in range(20)
    ]
    await labeler.publish(*claimed, *seeds)
    assert "no test image of dandelion among 20, no test image of grass among 20" in await waits_for()
    for image, label in zip(claimed, ("dandelion", "grass"), strict=True):
        await labeler.correct("anna", image.image_id, label, 0)
    assert "trained now" in await waits_for()
    async with labeler.client("anna") as client:
        assert "trained now" in (await client.get("/models/champion")).json()["detail"]
    await labeler.publish(model_trained())
    assert "GET /models" in await waits_for()


async def test_a_promotion_again_keeps_why_the_model_was_first_promoted(labeler: Labeler) -> None:
    rule = RuleOutcome(rule="accuracy", outcome="passed", sentence="Good.", figures={"accuracy": 0.9})
    frozen = {"frozen": True, "requested_by": "olga"}
    await labeler.publish(
        model_trained(version="v1"),
        model_promoted(version="v1", sequence=1, verdict=(rule,), summary="It is better."),
        model_promoted(version="v1", sequence=2, route="freeze", summary="olga froze promotions: a test", **frozen),
        model_promoted(version="v1", sequence=3, route="approve", summary="olga approved v1", **frozen),
    )

    [model] = await labeler.get("/models")
    champion = await labeler.get("/models/champion")

    assert (model["summary"], model["sequence"], model["verdict"][0]["sentence"]) == ("It is better.", 3, "Good.")
    assert [(each["sequence"], each["route"]) for each in model["promotions"]] == [
        (1, "first"),
        (2, "freeze"),
        (3, "approve"),
    ]
    assert (champion["frozen"], champion["freeze"]["summary"]) == (True, "olga froze promotions: a test")


async def test_after_the_freeze_no_freeze_is_named(labeler: Labeler) -> None:
    await labeler.publish(
        model_trained(version="v1"),
        model_promoted(version="v1", sequence=1, route="freeze", frozen=True),
        model_promoted(version="v1", sequence=2, route="unfreeze"),
    )
    champion = await labeler.get("/models/champion")
    assert (champion["frozen"], champion["freeze"]) == (False, None)


@pytest.mark.parametrize("reason", ["\x1b]0;PWNED\x07", "a\x9b2J", "bell\x07", "\x7f", "a\rb"])
async def test_a_reason_with_control_characters_is_refused(labeler: Labeler, reason: str) -> None:
    answer = await ask(labeler, "freeze", reason=reason)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_request")
    assert labeler.event_log.events(PromotionRequested) == []
