"""The projection: the same tables from the same log in any interleaving of topics, with any repetition."""

import asyncio
import random
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.labeler.data.projection import PROJECTORS, apply_label_corrected
from shared.contract.events import AppliedCorrection, Event, HeldLabel, SetAside
from shared.contract.place import encode_place
from shared.tables.database import Database
from shared.tables.postgres import Transaction, connector
from shared.tables.projection import Projector
from shared.tables.replay import canonical_dump
from shared.testing import (
    image_registered,
    image_rejected,
    image_scored,
    image_stored,
    image_withdrawn,
    label_corrected,
    model_promoted,
    model_rejected,
    model_trained,
    promotion_requested,
)

PROJECTOR: dict[type[Event], Projector] = {projector.event: projector for projector in PROJECTORS}


def a_history() -> list[Event]:
    """Return events of every type, with races."""
    first, second, third = uuid4(), uuid4(), uuid4()
    held = AppliedCorrection(image_id=first, revision=1)
    restored = HeldLabel(revision=1, label="grass")
    left = SetAside(image_id=first, revision=2, sentence="It breaks others.")
    request = promotion_requested()
    return [
        image_registered(image_id=first, label="grass"),
        image_registered(image_id=second, attempt=1),
        image_registered(image_id=second, attempt=2),
        image_rejected(image_id=second, attempt=1, retryable=True),
        image_rejected(image_id=second, attempt=2),
        image_stored(image_id=first, label="grass", pixels_sha256="a" * 64),
        image_stored(image_id=second, pixels_sha256="a" * 64),
        label_corrected(image_id=first, revision=1),
        label_corrected(image_id=first, revision=1, corrected_by="anna"),
        label_corrected(image_id=first, revision=2),
        label_corrected(image_id=first, revision=4),
        label_corrected(image_id=second, revision=1),
        label_corrected(image_id=second, revision=2, label_to=None, no_label="unusable"),
        label_corrected(image_id=second, revision=2, label_to="grass"),
        label_corrected(image_id=second, revision=3, label_to=None, no_label="withdrawn", restored=restored),
        image_registered(image_id=third),
        image_stored(image_id=third, sha256="a" * 64),
        image_withdrawn(image_id=third, sha256="a" * 64, seen_by=("v1",)),
        label_corrected(image_id=third, revision=1),
        image_scored(image_id=first, place=encode_place((1, 2, 3))),
        image_scored(image_id=first, answer=None),
        image_scored(image_id=first, place=encode_place((3, 2, -1))),
        image_scored(image_id=third, place=encode_place((1, 1, 1))),
        model_trained(version="v1"),
        model_trained(version="fast-1", corrections=(held,)),
        model_trained(version="fast-2", corrections=(held,)),
        model_promoted(version="v1", sequence=1),
        model_promoted(version="fast-1", sequence=2),
        model_promoted(version="fast-2", sequence=2),
        model_promoted(version="fast-2", sequence=3, answers=request.event_id),
        model_rejected(version="fast-3", set_aside=(left,)),
        request,
    ]


def interleaved(events: list[Event], seed: int) -> list[Event]:
    """Return the same events with the topics mixed, each topic in its order, and some events twice."""
    chance = random.Random(seed)
    queues: dict[str, list[Event]] = {}
    for event in events:
        queues.setdefault(event.topic, []).extend([event] * chance.choice((1, 1, 2)))
    mixed = []
    while queues:
        topic = chance.choice(sorted(queues))
        mixed.append(queues[topic].pop(0))
        if not queues[topic]:
            del queues[topic]
    return mixed


def batches(events: list[Event], chance: random.Random | None) -> list[list[Event]]:
    """Cut the events into batches of one to twelve; None: each alone."""
    left, found = list(events), []
    while left:
        size = chance.randint(1, 12) if chance else 1
        found.append(left[:size])
        left = left[size:]
    return found


async def apply_batch(transaction: Transaction, batch: list[Event]) -> None:
    """Apply as `ProjectionBatch` does: first what is applied alone, then each topic together."""
    together: dict[type[Event], list[Event]] = {}
    for event in batch:
        projector = PROJECTOR[type(event)]
        if projector.apply_together is None or len(batch) == 1:
            await projector.apply(event, transaction)
        else:
            together.setdefault(type(event), []).append(event)
    for event_type, events in together.items():
        apply_together = PROJECTOR[event_type].apply_together
        assert apply_together is not None
        await apply_together(events, transaction)


async def fold(database: Database, events: list[Event], chance: random.Random | None = None) -> object:
    """Return the tables after these events, starting from empty ones; `chance` cuts them into batches."""
    async with database.transaction() as transaction:
        for table in await transaction.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'labeler'"):
            if table["tablename"] not in ("migrations", "positions"):
                await transaction.execute(f"TRUNCATE {table['tablename']}")
        for batch in batches(events, chance):
            await apply_batch(transaction, batch)
    return await canonical_dump(database)


async def test_any_interleaving_repetition_and_batching_gives_the_same_tables(tables: Database) -> None:
    events = a_history()
    expected = await fold(tables, events)

    for seed in range(20):
        cut = random.Random(seed) if seed % 2 else None
        assert await fold(tables, interleaved(events, seed), cut) == expected, f"seed {seed}"
    assert await tables.fetchval("SELECT count(*) FROM label_history WHERE applied") == 6
    assert await tables.fetchval("SELECT count(*) FROM predictions") == 1
    assert await tables.fetchval("SELECT count(*) FROM places") == 1
    assert await tables.fetchval("SELECT count(*) FROM current_images WHERE withdrawn_at IS NOT NULL") == 1
    assert await tables.fetchval("SELECT version FROM live_corrections") == "fast-1"
    assert await tables.fetchval("SELECT count(*) FROM listed_images") == 2
    left = "SELECT count(*) FROM (SELECT * FROM images_to_list EXCEPT SELECT * FROM listed_images) AS left_out"
    assert await tables.fetchval(left) == 0
    assert await tables.fetchval("SELECT sum(number) FROM listed_counts WHERE number > 0") == 2


Requests = list[tuple[int, int]]


@pytest.mark.timeout(120)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=12))
def test_each_revision_is_applied_once_by_its_first_correction(database_url: str, requests: Requests) -> None:
    """`requests` are event ids (repeated ones are the same event) and the revisions they request."""
    asyncio.run(_check_requests(database_url, requests))


async def _check_requests(database_url: str, requests: Requests) -> None:
    connection = await connector(database_url, "labeler")()
    try:
        await connection.execute("BEGIN")
        image_id, first_revision = uuid4(), dict[int, int]()
        for number, revision in requests:
            first_revision.setdefault(number, revision)
            event = label_corrected(image_id=image_id, event_id=UUID(int=number), revision=first_revision[number])
            await apply_label_corrected([event], connection)
        await _agrees(connection, image_id, list(first_revision.items()))
    finally:
        await connection.close()


async def _agrees(connection: Transaction, image_id: UUID, requests: Requests) -> None:
    current, winners = 0, set[UUID]()
    for number, revision in requests:
        if revision == current + 1:
            current = revision
            winners.add(UUID(int=number))
    applied = await connection.fetch("SELECT event_id FROM label_history WHERE image_id = $1 AND applied", image_id)
    shown = await connection.fetchval("SELECT revision FROM images WHERE image_id = $1", image_id)
    assert {row["event_id"] for row in applied} == winners
    assert (shown or 0) == current
