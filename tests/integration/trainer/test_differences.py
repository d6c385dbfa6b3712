"""Candidates of the fast lane are announced as differences to their parents; what they hold is known all the same."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from services.trainer.data import queries
from services.trainer.data.known_models import KnownModels
from services.trainer.data.projection import TOPICS
from shared.contract.events import AppliedCorrection, LabelCorrected
from shared.runtime.errors import NotReady
from shared.tables.projection import wait_until_caught_up
from shared.testing import model_promoted, model_trained
from tests.integration.trainer.trainer_env import Parts, World


def entries(held: Sequence[AppliedCorrection]) -> list[tuple[UUID, int]]:
    return sorted((one.image_id, one.revision) for one in held)


def of(*corrections: LabelCorrected) -> list[tuple[UUID, int]]:
    return sorted((one.image_id, one.revision) for one in corrections)


async def test_each_candidate_says_only_what_is_new(world: World, parts: Parts) -> None:
    await world.dataset()
    async with parts.running("projection", "gate", "fast"):
        full = await world.full()
        await world.verdict(full)
        first = await world.correct(world.images[0], "grass")
        await world.live(first)
        second = await world.correct(world.images[2], "grass")
        await world.live(second)
        again = await world.correct(world.images[0], "dandelion", 2)
        champion = await world.live(second, again)
    announced = await queries.announced(world.database, champion.version)
    assert announced is not None
    event = announced.trained
    assert event.corrections is None
    assert (entries(event.added), entries(event.removed), event.holds) == (of(again), of(first), 2)
    assert entries(champion.model.held) == of(second, again)
    assert entries(await queries.held_corrections(world.database, champion.version)) == of(second, again)
    known = KnownModels(world.database)
    assert (await known.trained(champion.version)).held == champion.model.held
    assert (await known.completed(event)).held == champion.model.held


async def test_what_stands_on_an_unknown_parent_waits(world: World, parts: Parts) -> None:
    orphan = model_trained(version="fast-2", lane="fast", parent="full-1", corrections=None, holds=1)
    async with parts.running("projection"):
        await world.publish(orphan, model_promoted(version="fast-2", sequence=1, lane="fast"))
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        known = KnownModels(world.database)
        with pytest.raises(NotReady, match="full-1"):
            await known.completed(orphan)
        with pytest.raises(NotReady, match="full-1"):
            await known.champion()
        await world.publish(model_trained(version="full-1"))
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        assert (await known.completed(orphan)).held == ()
