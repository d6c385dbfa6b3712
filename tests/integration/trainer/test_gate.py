"""The gate, from events to events: each candidate and each request gets one verdict that counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.gate.decisions.rules import GateSettings
from services.trainer.model.head import Head
from services.trainer.settings import TrainerSettings
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event, ModelPromoted, ModelRejected, ModelTrained, uuid_of
from shared.messaging.event_log import Publisher, Record
from shared.tables.projection import wait_until_caught_up
from shared.testing import eventually, model_promoted, promotion_requested
from tests.integration.trainer.trainer_env import LABELS, WIDTH, Parts, World


@pytest.fixture
async def first(world: World, parts: Parts) -> ModelTrained:
    """The first champion."""
    async with parts.running("projection", "gate"):
        await world.dataset()
        candidate = await world.full()
        verdict = await world.verdict(candidate)
    assert verdict.topic == "model.promoted", verdict.summary
    return candidate


def nonsense(seed: int = 3) -> Head:
    """Return a head that answers by chance."""
    weights = np.random.default_rng(seed).normal(0, 1, (WIDTH, 2)).astype(np.float32)
    weights[12:15] = 0  # it does not look at the middle, where the answer is
    zeros, ones = np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32)
    return Head(LABELS, zeros, ones, weights, np.zeros(2, np.float32))


async def test_the_first_model_needs_floors_only(world: World, first: ModelTrained) -> None:
    champion = await world.champion()
    assert (champion.version, champion.sequence, champion.promotion.route) == (first.version, 1, "first")
    assert champion.promotion.artefact_sha256 == first.artefact_sha256
    assert await queries.anchor(world.database) == champion.model


async def test_a_first_model_below_the_floors_does_not_serve(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate"):
        await world.dataset()
        verdict = await world.verdict(await world.full(nonsense()))
    assert isinstance(verdict, ModelRejected)
    assert "accuracy" in [one.rule for one in verdict.verdict if one.outcome == "failed"]
    assert await queries.champion(world.database) is None


async def test_the_same_again_is_no_reason_to_change(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        verdict = await world.verdict(await world.full())
    assert isinstance(verdict, ModelRejected)
    assert "reason" in [one.rule for one in verdict.verdict if one.outcome == "failed"]


async def test_nine_new_images_are_no_reason_to_change_and_ten_are(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    parts.limits = GateSettings()
    async with parts.running("projection", "gate"):
        for index in range(9):
            await world.image(LABELS[index % 2], "train" if index else "test")
        nine = await world.verdict(await world.full())
        await world.image(LABELS[1])
        ten = await world.verdict(await world.full())
    assert isinstance(nine, ModelRejected)
    assert "Only 9 new images since the champion" in nine.summary
    assert isinstance(ten, ModelPromoted), ten.summary


async def test_new_images_are_a_reason_to_change(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        for label in LABELS:
            await world.image(label)
        verdict = await world.verdict(candidate := await world.full())
    assert isinstance(verdict, ModelPromoted), verdict.summary
    assert (verdict.sequence, verdict.replaces, verdict.version) == (2, first.version, candidate.version)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"artefact_sha256": "0" * 64}, "was replaced"),
        ({"artefact_key": "models/nowhere/model.onnx"}, "no object"),
        ({"labels": ("grass", "dandelion")}, "not what was announced"),
        ({"backbone_id": "1" * 64}, "not what was announced"),
    ],
)
async def test_a_candidate_that_is_not_what_was_announced_is_rejected(
    world: World, parts: Parts, first: ModelTrained, change: dict[str, Any], said: str
) -> None:
    async with parts.running("projection", "gate"):
        verdict = await world.verdict(await world.full(**change))
    assert isinstance(verdict, ModelRejected)
    assert said in verdict.summary


async def test_a_model_with_labels_of_another_installation_never_serves(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    parts.settings = TrainerSettings(labels=("cat", "dog"))
    async with parts.running("projection", "gate"):
        second = await world.full()
        judged, forced = await world.verdict(second), await world.ask("override", second.version)
    for verdict in (judged, forced):
        assert isinstance(verdict, ModelRejected)
        assert "PAPPUS_LABELS" in verdict.summary


async def test_without_the_champion_there_is_no_verdict_until_it_is_back(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    artefact = await world.store.get(first.artefact_key)
    await world.store.put(first.artefact_key, b"rubbish")
    async with parts.running("projection", "gate"):
        await world.image(LABELS[0])
        candidate = await world.full()
        await eventually(lambda: "Nothing can be compared with the champion" in str(parts.health.report()))
        assert await queries.verdict_on(world.database, candidate.event_id) is None
        await world.store.put(first.artefact_key, artefact)
        verdict = await world.verdict(candidate)
    assert isinstance(verdict, ModelPromoted), verdict.summary


async def test_without_the_champion_another_version_can_be_put_into_service(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    await world.store.put(first.artefact_key, b"rubbish")
    async with parts.running("projection", "gate"):
        await world.image(LABELS[0])
        candidate = await world.full()
        await eventually(lambda: "Nothing can be compared with the champion" in str(parts.health.report()))
        approved = await world.ask("approve", candidate.version)
        overridden = await world.ask("override", candidate.version, reason="the old one is lost")
    assert isinstance(approved, ModelRejected)
    assert "put another version into service: pappus rollback, pappus override." in approved.summary
    assert isinstance(overridden, ModelPromoted), overridden.summary
    assert overridden.version == candidate.version


async def test_a_lost_anchor_holds_nothing_up(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        await world.image(LABELS[0])
        assert isinstance(await world.verdict(await world.full()), ModelPromoted)
    await world.store.put(first.artefact_key, b"rubbish")
    async with parts.running("projection", "gate"):
        await world.image(LABELS[1])
        verdict = await world.verdict(await world.full())
    assert isinstance(verdict, ModelPromoted), verdict.summary
    (said,) = [one for one in verdict.verdict if one.rule == "non_inferior_to_anchor"]
    assert "was replaced" in said.sentence


async def test_a_candidate_of_another_parent_came_too_late(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        verdict = await world.verdict(await world.full(lane="fast", parent="full-before"))
    assert isinstance(verdict, ModelRejected)
    assert verdict.set_aside == ()
    assert f"made from full-before, but {first.version} serves now" in verdict.summary


async def test_while_frozen_candidates_wait_for_a_person(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        frozen = await world.ask("freeze", reason="the fair is on")
        assert isinstance(frozen, ModelPromoted)
        assert (frozen.sequence, frozen.version, frozen.frozen) == (2, first.version, True)
        await world.image("grass")
        candidate = await world.full()
        rejected = await world.verdict(candidate)
        assert isinstance(rejected, ModelRejected)
        assert "carla froze promotions: the fair is on" in rejected.summary
        approved = await world.ask("approve", candidate.version)
    assert isinstance(approved, ModelPromoted)
    assert (approved.route, approved.version, approved.sequence, approved.frozen) == (
        "approve",
        candidate.version,
        3,
        True,
    )
    assert approved.requested_by == "carla"


async def test_approving_is_no_way_around_the_verdict_but_overriding_is(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate"):
        candidate = await world.full(nonsense())
        assert isinstance(await world.verdict(candidate), ModelRejected)
        assert isinstance(await world.ask("approve", candidate.version), ModelRejected)
        assert isinstance(await world.ask("override", candidate.version, reason=" "), ModelRejected)
        overridden = await world.ask("override", candidate.version, reason="I know what I do")
    assert isinstance(overridden, ModelPromoted)
    assert (overridden.route, overridden.version) == ("override", candidate.version)


async def test_a_rollback_freezes_and_goes_to_what_was_in_service_only(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate"):
        await world.image("grass")
        second = await world.full()
        await world.verdict(second)
        never = await world.full(nonsense())
        await world.verdict(never)
        refused = [await world.ask("rollback", version) for version in (never.version, second.version, "nothing", None)]
        back = await world.ask("rollback", first.version, reason="it was better")
    assert all(isinstance(one, ModelRejected) for one in refused)
    assert [one.version for one in refused] == [never.version, second.version, None, None]
    assert isinstance(back, ModelPromoted)
    assert (back.version, back.replaces, back.frozen, back.route) == (first.version, second.version, True, "rollback")


async def test_a_rollback_to_what_cannot_be_loaded_is_refused(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate"):
        await world.image("grass")
        await world.verdict(await world.full())
        await world.store.put(first.artefact_key, b"rubbish")
        refused = await world.ask("rollback", first.version)
    assert isinstance(refused, ModelRejected)
    assert "was replaced" in refused.summary


async def test_every_request_without_a_champion_is_refused_with_a_sentence(world: World, parts: Parts) -> None:
    async with parts.running("projection", "gate"):
        answers = [
            await world.ask(action, "v9") for action in ("freeze", "unfreeze", "rollback", "approve", "override")
        ]
    assert all(isinstance(answer, ModelRejected) and answer.summary for answer in answers)


async def test_a_repeated_message_gets_no_second_verdict(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection"):
        slow, quick = parts.keeper(), parts.keeper(full=False)
        request = promotion_requested(action="freeze", version=None)
        await world.publish(request)
        for _ in range(3):
            for keeper in (slow, quick):
                await keeper.on_model_trained(first)
                await keeper.on_promotion_requested(request)
        assert (await world.champion()).sequence == 2


@dataclass
class Overtaken:
    """A publisher that is slow: `events` are in the log before what it is to publish first."""

    publisher: Publisher
    events: list[Event]

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        before, self.events = self.events, []
        await self.publisher.publish(before)
        return await self.publisher.publish(events)

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        await self.publisher.publish_dead_letter(dead_letter)


async def test_a_gate_that_was_overtaken_decides_again(world: World, parts: Parts, first: ModelTrained) -> None:
    competitor = model_promoted(
        version=first.version, sequence=2, frozen=True, route="freeze", artefact_sha256=first.artefact_sha256
    )
    async with parts.running("projection"):
        await world.image("grass")
        candidate = await world.full()
        await parts.keeper(Overtaken(world.publisher, [competitor])).on_model_trained(candidate)
        verdict = await world.verdict(candidate)
    assert isinstance(verdict, ModelRejected)
    assert "frozen" in verdict.summary
    assert verdict.event_id == uuid_of("verdict", candidate.event_id, 3)


async def test_a_gate_that_wakes_up_late_publishes_what_nobody_follows(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate"):
        await world.image("grass")
        second = await world.full()
        promoted = await world.verdict(second)
        assert isinstance(promoted, ModelPromoted)
        late = promoted.model_copy(update={"version": first.version, "event_id": uuid_of("late"), "causes": ()})
        await world.publish(late)
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        assert (await world.champion()).version == second.version


async def test_small_losses_do_not_add_up_because_of_the_anchor(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    """An override makes a worse model the champion; what is merely no worse than that one still does not pass."""
    async with parts.running("projection", "gate"):
        worse = await world.full(nonsense())
        await world.verdict(worse)
        await world.ask("override", worse.version, reason="a mistake")
        await world.image("grass")
        verdict = await world.verdict(await world.full(replace(nonsense(), bias=np.array([0.01, 0], np.float32))))
    assert isinstance(verdict, ModelRejected)
    assert "non_inferior_to_anchor" in [one.rule for one in verdict.verdict if one.outcome == "failed"]


async def test_a_test_image_that_cannot_be_read_is_left_out_for_everybody(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    gone = next(image for image in world.images if image.sample().side == "test")
    await world.store.put(gone.event.object_key, b"other bytes")
    async with parts.running("projection", "gate"):
        await world.image("grass")
        verdict = await world.verdict(await world.full())
    assert isinstance(verdict, ModelPromoted), verdict.summary
    (compared,) = [one for one in verdict.verdict if one.rule == "non_inferior_to_champion"]
    assert compared.figures["images"] == 19
