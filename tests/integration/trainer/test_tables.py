"""The tables are the fold of their topics: any interleaving of them, any repetition, gives the same."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.trainer.data import queries
from services.trainer.data.projection import PROJECTORS
from shared.contract.events import Event, HeldLabel, SetAside, uuid_of
from shared.runtime.errors import NotReady
from shared.tables.dump import canonical_dump
from shared.testing import (
    image_stored,
    image_withdrawn,
    label_corrected,
    model_promoted,
    model_rejected,
    model_trained,
    trial_compared,
    trial_started,
)
from tests.integration.trainer.trainer_env import World, read_candidates

pytestmark = pytest.mark.timeout(240)  # some two thousand transactions

IMAGES = [uuid_of("image", number) for number in range(3)]
VERSIONS = ["full-1", "full-2", "fast-1", "fast-2"]
TABLES = (
    "images", "withdrawn_images", "corrections", "models", "promotions", "rejections", "set_aside", "trials",
    "trial_counts",
)  # fmt: skip
APPLY = {projector.event.topic: projector.apply for projector in PROJECTORS}


async def fold(world: World, events: Sequence[Event]) -> dict[str, str]:
    """Fold the events into empty tables, each in a transaction; the hash of each table."""
    await world.database.execute(f"TRUNCATE {', '.join(TABLES)}")
    for event in events:
        async with world.database.transaction() as transaction:
            await APPLY[event.topic](event, transaction)
    return await canonical_dump(world.database, TABLES)


def digest(number: int) -> str:
    return f"{number:064x}"


def cause(version: str) -> UUID:
    return uuid_of("model.trained", version)


def restoring(revision: int) -> dict[str, Any]:
    """A withdrawal that restores the first decision."""
    restored = HeldLabel(revision=1, label="grass") if revision > 1 else None
    return {"label_to": None, "no_label": "withdrawn", "restored": restored}


DECISIONS: dict[str, Callable[[int], dict[str, Any]]] = {
    "dandelion": lambda _: {"label_to": "dandelion"},
    "grass": lambda _: {"label_to": "grass"},
    "unusable": lambda _: {"label_to": None, "no_label": "unusable"},
    "withdrawn": lambda _: {"label_to": None, "no_label": "withdrawn"},
    "restored": restoring,
}

images = st.sampled_from([image_stored(image_id=one, sha256=digest(n)) for n, one in enumerate(IMAGES)])
withdrawals = st.sampled_from([image_withdrawn(image_id=one, sha256=digest(n)) for n, one in enumerate(IMAGES)])
corrections = st.builds(
    lambda image, revision, decision, who: label_corrected(
        image_id=image,
        revision=revision,
        corrected_by=who,
        event_id=uuid_of(image, revision, decision, who),
        **DECISIONS[decision](revision),
    ),
    st.sampled_from(IMAGES),
    st.integers(1, 4),
    st.sampled_from(["dandelion", "grass", "unusable", "withdrawn", "restored"]),
    st.sampled_from(["anna", "berta"]),
)
candidates = st.sampled_from(
    [
        model_trained(
            version=one, lane=one[:4], artefact_sha256=digest(7), backbone_id=digest(8), weights_sha256=digest(9),
            manifest_key="manifests/1.json", manifest_sha256=digest(1), parent="full-1" if one[:4] == "fast" else None,
        )
        for one in VERSIONS
    ]
)  # fmt: skip
promotions = st.builds(
    lambda version, sequence, causes: model_promoted(
        version=version, sequence=sequence, artefact_sha256=digest(7), causes=(cause(causes),)
    ),
    st.sampled_from(VERSIONS),
    st.integers(1, 4),
    st.sampled_from(VERSIONS),
)
rejections = st.builds(
    lambda version, image, number: model_rejected(
        version=version,
        event_id=uuid_of("rejection", version, number),
        causes=(cause(version),),
        set_aside=(SetAside(image_id=image, revision=number, sentence="It broke an answer."),),
    ),
    st.sampled_from(VERSIONS),
    st.sampled_from(IMAGES),
    st.integers(1, 2),
)
trials = st.builds(
    lambda version, share: trial_started(
        version=version, cause=cause(version), artefact_sha256=digest(7), share=share, sequence=1
    ),
    st.sampled_from(VERSIONS),
    st.sampled_from([0.1, 0.5]),
)
RUNS = [uuid_of("run", number) for number in range(2)]
growing_counts = st.lists(st.tuples(st.sampled_from(RUNS), st.integers(0, 5), st.integers(0, 1)), max_size=8).map(
    lambda steps: [
        trial_compared(
            trial=uuid_of("trial", "full-1"),
            run=run,
            compared=sum(more for one, more, _ in steps[: number + 1] if one == run),
            disagreed=0,
            failed=(failed := sum(fails for one, _, fails in steps[: number + 1] if one == run)),
            detail=f"failure {failed}" if failed else "",
        )
        for number, (run, _, _) in enumerate(steps)
    ]
)
partitions = st.tuples(
    *(
        st.lists(one, max_size=8)
        for one in (images, withdrawals, corrections, candidates, promotions, rejections, trials)
    ),
    growing_counts,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(partitions=partitions, data=st.data())
async def test_any_interleaving_and_any_repetition_gives_the_same_tables(
    world: World, partitions: tuple[list[Event], ...], data: st.DataObject
) -> None:
    straight = await fold(world, [event for partition in partitions for event in partition])
    order = data.draw(st.permutations([number for number, topic in enumerate(partitions) for _ in topic]))
    waiting = [iter(partition) for partition in partitions]
    interleaved = []
    for number in order:
        event = next(waiting[number])
        interleaved += [event] * data.draw(st.integers(1, 2))
    assert await fold(world, interleaved) == straight


async def test_what_is_repeated_much_later_changes_nothing(world: World) -> None:
    image = image_stored(image_id=IMAGES[0])
    events: list[Event] = [
        image,
        *(label_corrected(image_id=IMAGES[0], revision=n, label_to="grass") for n in (1, 2)),
        first := model_trained(version="full-1"),
        model_promoted(version="full-1", sequence=1, causes=(first.event_id,)),
        model_promoted(version="full-1", sequence=2, route="freeze", frozen=True),
    ]
    once = await fold(world, events)
    assert await fold(world, [*events, *events]) == once


async def test_of_two_competitors_the_first_counts(world: World) -> None:
    await fold(
        world,
        [
            image_stored(image_id=IMAGES[0], label="grass"),
            label_corrected(image_id=IMAGES[0], revision=1, label_to="dandelion", corrected_by="anna"),
            label_corrected(image_id=IMAGES[0], revision=1, label_to="grass", corrected_by="berta"),
            label_corrected(image_id=IMAGES[0], revision=3, label_to="grass"),
        ],
    )
    (correction,) = await queries.applied_corrections(world.database)
    assert (correction.revision, correction.label) == (1, "dandelion")


async def test_only_complete_rows_with_a_trusted_label_are_samples(world: World) -> None:
    await fold(
        world,
        [
            image_stored(image_id=IMAGES[0], label="grass", trust="claimed"),
            image_stored(image_id=IMAGES[1], label="grass", trust="claimed"),
            image_stored(image_id=IMAGES[2], label=None, trust="seed"),
            image_stored(image_id=(seeded := uuid_of("seeded")), label="dandelion", trust="seed"),
            label_corrected(image_id=IMAGES[1], revision=1, label_to="dandelion"),
            label_corrected(image_id=uuid_of("not stored yet"), revision=1, label_to="dandelion"),
        ],
    )
    samples = {(one.image_id, one.label, one.revision) for one in await queries.labelled_samples(world.database)}
    assert samples == {(IMAGES[1], "dandelion", 1), (seeded, "dandelion", 0)}
    assert [one.image_id for one in await queries.applied_corrections(world.database)] == [IMAGES[1]]


async def test_the_anchor_is_the_last_superior_model_else_the_first(world: World) -> None:
    models = [model_trained(version=version) for version in VERSIONS]
    first = model_promoted(version="full-1", sequence=1, route="first")
    next_one = model_promoted(version="fast-1", sequence=2, route="non_inferior")
    superior = model_promoted(version="full-2", sequence=3, route="superior")
    last = model_promoted(version="fast-2", sequence=4, route="non_inferior")
    assert await queries.anchor(world.database) is None
    await fold(world, [*models, first, next_one])
    assert (await queries.anchor(world.database)) == models[0]
    await fold(world, [*models, first, next_one, superior, last])
    assert (await queries.anchor(world.database)) == models[1]


async def test_a_champion_that_is_not_trained_yet_is_not_ready(world: World) -> None:
    await fold(world, [model_promoted(version="full-1", sequence=1)])
    with pytest.raises(NotReady):
        await queries.champion(world.database)


async def test_a_candidate_is_unjudged_until_its_verdict(world: World) -> None:
    one, two, three = (model_trained(version=version) for version in VERSIONS[:3])
    promotion = model_promoted(version=one.version, sequence=1, causes=(one.event_id,))
    rejection = model_rejected(version=two.version, causes=(two.event_id,))
    refusal = model_rejected(version=three.version, answers=uuid_of("a request"), event_id=uuid_of("refusal"))
    await fold(world, [one, two, three, promotion, rejection, refusal])
    unjudged = [row.trained.version for row in await read_candidates(world.database) if not row.judged]
    assert unjudged == [three.version]
    row = await queries.model(world.database, two.version)
    assert row is not None
    assert row.rejected == rejection
    assert await queries.verdict_on(world.database, uuid_of("a request")) == refusal
    assert await queries.verdict_on(world.database, one.event_id) == promotion
    assert await queries.verdict_on(world.database, three.event_id) is None


async def test_a_rejection_whose_cause_was_promoted_after_all_sets_nothing_aside(world: World) -> None:
    aside = SetAside(image_id=IMAGES[0], revision=1, sentence="It broke an answer.")
    candidate = model_trained(version="fast-1", lane="fast", parent="full-1")
    rejection = model_rejected(version="fast-1", causes=(candidate.event_id,), set_aside=(aside,))
    await fold(world, [candidate, rejection])
    assert await queries.set_aside(world.database) == [aside]
    await fold(
        world, [candidate, rejection, model_promoted(version="fast-1", sequence=1, causes=(candidate.event_id,))]
    )
    assert await queries.set_aside(world.database) == []
