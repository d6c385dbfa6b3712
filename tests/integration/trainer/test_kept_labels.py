"""What is kept in memory of the tables is what they say, after any events."""

import random
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from pappus.stack import Servers
from services.trainer.data import queries
from services.trainer.data.kept_labels import MOST_CHANGES, KeptLabels, Labels
from services.trainer.data.projection import PROJECTORS, TOPICS, replay_plan
from services.trainer.dataset.records import LabelledImage
from shared.contract.events import Event, HeldLabel, LabelCorrected
from shared.runtime.errors import TransientError
from shared.tables.projection import wait_until_caught_up
from shared.tables.replay import replay
from shared.testing import image_stored, image_withdrawn, label_corrected
from tests.integration.trainer.trainer_env import Parts, World, group_on

IMAGES = [UUID(int=number) for number in range(1, 9)]
LABELS = ("dandelion", "grass")


def every(_: LabelledImage) -> bool:
    return True


def story(seed: int, steps: int) -> Iterator[Event]:
    """Yield events about few images, some of which have the same pixels, in an order that nothing restricts."""
    chance = random.Random(seed)
    revisions = dict.fromkeys(IMAGES, 0)
    for _ in range(steps):
        image_id = chance.choice(IMAGES)
        what = chance.random()
        if what < 0.3:
            yield image_stored(
                image_id=image_id,
                event_id=uuid4(),
                pixels_sha256=chance.choice("abc") * 64 if image_id.int % 2 else "",
                label=chance.choice((*LABELS, None)),
                trust=chance.choice(("seed", "claimed")),
            )
        elif what < 0.95:
            revision = revisions[image_id] = revisions[image_id] + chance.choice((0, 1, 1, 1))
            yield correction(chance, image_id, max(revision, 1))
        else:
            yield image_withdrawn(image_id=image_id)


def correction(chance: random.Random, image_id: UUID, revision: int) -> LabelCorrected:
    """Return a decision for a label, for none, or the withdrawal of one."""
    kind = chance.random()
    values = {"image_id": image_id, "revision": revision, "event_id": uuid4()}
    if kind < 0.6:
        return label_corrected(**values, label_to=chance.choice(LABELS))
    if kind < 0.8:
        return label_corrected(**values, label_to=None, no_label="unsure")
    restored = HeldLabel(revision=1, label="grass") if revision > 1 else None
    return label_corrected(**values, label_to=None, no_label="withdrawn", restored=restored)


async def fold(world: World, event: Event) -> None:
    apply = {projector.event: projector.apply for projector in PROJECTORS}
    async with world.database.transaction() as transaction:
        await apply[type(event)](event, transaction)


async def asked_anew(world: World) -> Labels:
    """Return what the tables say to one that keeps nothing."""
    database = world.database
    return Labels(
        tuple(await queries.labelled_images(database)),
        tuple(await queries.applied_corrections(database)),
        tuple(await queries.retractions(database)),
    )


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_kept_is_what_the_tables_say(world: World, seed: int) -> None:
    kept, chance = KeptLabels(world.database, every), random.Random(seed)
    for event in story(seed, 80):
        await fold(world, event)
        if chance.random() < 0.6:
            assert await kept.read() == await asked_anew(world), event
    assert await kept.read() == await asked_anew(world)


async def test_what_did_not_change_is_not_read_again(world: World) -> None:
    first, second = image_stored(), image_stored()
    for event in (first, second, label_corrected(image_id=first.image_id)):
        await fold(world, event)
    kept = KeptLabels(world.database, every)
    before = await kept.read()
    now = await kept.read()
    assert now == before
    assert now.images is before.images

    await fold(world, label_corrected(image_id=second.image_id, label_to="grass"))
    now = await kept.read()
    assert now.retractions is before.retractions
    assert [one.image_id for one in now.corrections] == sorted([first.image_id, second.image_id])


async def test_only_labelled_images_that_are_wanted_are_kept(world: World) -> None:
    none, tests = KeptLabels(world.database), KeptLabels(world.database, lambda image: image.sample.side == "test")
    await tests.read()
    for where in ("train", "test"):
        await fold(world, stored := image_stored(group_id=group_on(where)))
        await fold(world, label_corrected(image_id=stored.image_id))
    assert [one.image_id for one in (await tests.read()).images] == [stored.image_id]
    now = await none.read()
    assert (len(now.images), len(now.corrections)) == (0, 2)


async def test_after_a_failure_all_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptLabels(world.database, every)
    await kept.read()
    await fold(world, stored := image_stored())

    async def away(*_: object) -> list[LabelledImage]:
        raise TransientError("PostgreSQL is away.")

    monkeypatch.setattr(kept._corrections, "_ask", away)
    with pytest.raises(TransientError):
        await kept.read()
    monkeypatch.undo()
    assert [one.image_id for one in (await kept.read()).images] == [stored.image_id]


async def test_more_changes_than_are_named_are_read_at_once(world: World) -> None:
    kept = KeptLabels(world.database, every)
    await kept.read()
    await fold(world, image_stored())
    await world.database.execute(
        "INSERT INTO changed_images SELECT gen_random_uuid(), 1 + number FROM generate_series(1, $1) number",
        MOST_CHANGES,
    )
    assert len((await kept.read()).images) == 1


async def test_after_a_replay_the_new_tables_are_read(world: World, parts: Parts, servers: Servers) -> None:
    stored = image_stored()
    kept, plan = KeptLabels(world.database, every), replace(replay_plan(), schema=world.database.schema)
    async with parts.running("projection"):
        await world.publish(stored, label_corrected(image_id=stored.image_id))
        await wait_until_caught_up(world.event_log, world.database, TOPICS, 10)
        before = await kept.read()
        await world.database.execute("DELETE FROM corrections")  # a damage, which a replay mends
        report = await replay(world.event_log, servers.database_url("postgres"), plan, force=True)
    assert (report.swapped, report.differing) == (True, ("corrections",))
    now = await kept.read()
    assert now == before
    assert now.corrections is not before.corrections
