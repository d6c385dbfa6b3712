"""A full candidate is tried on live requests before it serves, once, also when events and gates repeat and restart."""

from uuid import UUID, uuid4

import pytest

from services.trainer.data import queries, trials
from services.trainer.data.projection import TOPICS
from services.trainer.gate.decisions.rules import GateSettings
from services.trainer.gate.decisions.trials import TrialSettings
from services.trainer.gate.trials import UNDER_WAY
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained, RuleOutcome
from shared.contract.trials import TrialStarted
from shared.tables.projection import wait_until_caught_up
from shared.testing import eventually, trial_compared
from tests.integration.trainer.trainer_env import LABELS, Parts, World

pytestmark = pytest.mark.timeout(180)  # the servers are started in the set-up of the first of them
TRIED = TrialSettings(share=0.5, answers=20)


@pytest.fixture
async def first(world: World, parts: Parts) -> ModelTrained:
    """The first champion; after it full candidates are tried."""
    parts.trying = TRIED
    async with parts.running("projection", "gate"):
        await world.dataset()
        candidate = await world.full()
        assert isinstance(await world.verdict(candidate), ModelPromoted)
    return candidate


async def tried(world: World, candidate: ModelTrained) -> TrialStarted:
    """Return the trial of a candidate, as soon as it began."""

    async def began() -> TrialStarted | None:
        return await trials.trial_of(world.database, candidate.event_id)

    found = await eventually(began)
    assert found is not None
    return found


async def better(world: World) -> ModelTrained:
    """Announce a full candidate that the gate would promote."""
    await world.image(LABELS[0])
    return await world.full()


async def compare(
    world: World, trial: TrialStarted, compared: int, disagreed: int, run: UUID | None = None, **changes: object
) -> None:
    """Report what a replica compared until now."""
    event = trial_compared(
        trial=trial.event_id,
        version=trial.version,
        run=run or uuid4(),
        compared=compared,
        disagreed=disagreed,
        **changes,
    )
    await world.publish(event)


def row(verdict: ModelPromoted | ModelRejected, rule: str) -> RuleOutcome:
    """Return this rule of a verdict."""
    [found] = [one for one in verdict.verdict if one.rule == rule]
    return found


async def test_a_full_candidate_serves_after_a_trial_in_which_it_agreed(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate", "trials"):
        trial = await tried(world, candidate := await better(world))
        await compare(world, trial, 19, 1)

        def said() -> str:
            state = parts.health.state(UNDER_WAY)
            return "" if state is None else state.detail

        await eventually(lambda: "19 of 20 answers compared, 1 differ" in said())
        assert (await world.champion()).version == first.version
        await compare(world, trial, 1, 0)
        verdict = await world.verdict(candidate)
        await eventually(lambda: said() == "")
    assert isinstance(verdict, ModelPromoted), verdict.summary
    assert (verdict.version, verdict.sequence, verdict.route) == (candidate.version, 2, "non_inferior")
    assert (trial.champion, trial.sequence, trial.mode, trial.share) == (first.version, 1, "shadow", 0.5)
    agreement = row(verdict, "trial_agreement")
    assert (agreement.outcome, agreement.figures["compared"], agreement.figures["disagreed"]) == ("passed", 20, 1)
    assert row(verdict, "accuracy").outcome == "passed"


async def test_one_that_disagrees_too_often_is_rejected(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate", "trials"):
        trial = await tried(world, candidate := await better(world))
        await compare(world, trial, 20, 9)
        verdict = await world.verdict(candidate)
    assert isinstance(verdict, ModelRejected)
    assert "9 of 20 answers to live requests differ" in verdict.summary
    assert row(verdict, "trial_agreement").outcome == "failed"
    assert row(verdict, "accuracy").outcome == "passed"
    assert (await world.champion()).version == first.version


async def test_repetitions_restarts_and_a_second_gate_give_one_trial_and_verdict(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    run = uuid4()
    async with parts.running("projection", "gate", "gate", "trials", "trials"):
        trial = await tried(world, candidate := await better(world))
        await world.publish(candidate, trial, candidate)
        for _ in range(3):
            await compare(world, trial, 12, 0, run)
    async with parts.running("projection"):  # the gate is away
        await compare(world, trial, 20, 0, run)
        await compare(world, trial, 12, 0, run)
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        assert (await trials.trial_counts(world.database, trial)).compared == 20
    async with parts.running("projection", "gate", "gate", "trials", "trials"):
        verdict = await world.verdict(candidate)
        await world.publish(candidate, trial)
        await parts.keeper().on_model_trained(candidate)
        await parts.trial_watch().look()
        assert (await world.champion()).promotion == verdict
    assert isinstance(verdict, ModelPromoted), verdict.summary
    assert verdict.sequence == 2


async def test_corrections_go_live_during_a_trial_and_what_follows_counts_them(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate", "trials", "fast"):
        wrong = await world.image(LABELS[0], says=LABELS[1])
        trial = await tried(world, candidate := await better(world))
        live = await world.live(await world.correct(wrong, LABELS[0]))
        assert (live.model.lane, live.sequence) == ("fast", 2)
        await compare(world, trial, 20, 0)
        verdict = await world.verdict(candidate)
    assert isinstance(verdict, ModelPromoted), verdict.summary
    assert (verdict.sequence, verdict.replaces) == (3, live.version)


async def test_a_freeze_ends_a_trial_and_the_candidate_can_be_approved(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate", "trials"):
        await tried(world, candidate := await better(world))
        frozen = await world.ask("freeze", reason="the fair is on")
        assert isinstance(frozen, ModelPromoted)
        verdict = await world.verdict(candidate)
        assert isinstance(verdict, ModelRejected)
        assert "carla froze promotions: the fair is on" in verdict.summary
        approved = await world.ask("approve", candidate.version)
    assert isinstance(approved, ModelPromoted), approved.summary
    assert (approved.version, approved.route) == (candidate.version, "approve")


async def test_a_person_who_approves_a_candidate_ends_its_trial(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate", "trials"):
        trial = await tried(world, candidate := await better(world))
        approved = await world.ask("approve", candidate.version)
        assert isinstance(approved, ModelPromoted), approved.summary
        await compare(world, trial, 20, 20)
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        assert await parts.trial_watch().look() == []
        assert await queries.verdict_on(world.database, candidate.event_id) is None
    assert (await world.champion()).version == candidate.version


async def test_a_newer_full_candidate_takes_the_place_of_one_that_is_tried(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate", "trials"):
        await tried(world, older := await better(world))
        trial = await tried(world, newer := await better(world))
        verdict = await world.verdict(older)
        assert isinstance(verdict, ModelRejected)
        assert f"{newer.version}, which is newer, is tried instead" in verdict.summary
        await compare(world, trial, 20, 0)
        assert isinstance(await world.verdict(newer), ModelPromoted)


async def test_without_traffic_the_measured_rules_decide_and_the_verdict_says_so(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    parts.trying = TRIED.model_copy(update={"seconds": 0.01})
    async with parts.running("projection", "gate", "trials"):
        verdict = await world.verdict(await better(world))
    assert isinstance(verdict, ModelPromoted), verdict.summary
    assert row(verdict, "trial_agreement").outcome == "insufficient_evidence"
    assert "No answer to a live request was compared." in verdict.summary


async def test_a_candidate_that_fails_on_a_replica_is_rejected(world: World, parts: Parts, first: ModelTrained) -> None:
    async with parts.running("projection", "gate", "trials"):
        trial = await tried(world, candidate := await better(world))
        await compare(world, trial, 3, 0, failed=1, detail="The session cannot be built.")
        verdict = await world.verdict(candidate)
    assert isinstance(verdict, ModelRejected)
    assert "once: The session cannot be built." in verdict.summary


async def test_where_operators_are_asked_they_are_asked_after_the_trial(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    parts.limits = GateSettings(least_changes=1, approval="ask")
    async with parts.running("projection", "gate", "trials"):
        trial = await tried(world, candidate := await better(world))
        await compare(world, trial, 20, 0)
        verdict = await world.verdict(candidate)
    assert isinstance(verdict, ModelRejected)
    assert verdict.waits_for_approval
    assert row(verdict, "trial_agreement").outcome == "passed"


async def test_a_trial_goes_on_where_trials_were_switched_off_meanwhile(
    world: World, parts: Parts, first: ModelTrained
) -> None:
    async with parts.running("projection", "gate"):
        trial = await tried(world, candidate := await better(world))
    parts.trying = TrialSettings()
    async with parts.running("projection", "gate", "trials"):
        await compare(world, trial, 20, 0)
        assert isinstance(await world.verdict(candidate), ModelPromoted)
        assert isinstance(await world.verdict(await better(world)), ModelPromoted)
