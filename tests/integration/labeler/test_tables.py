"""The projection: the same tables from the same log in any interleaving of topics, with any repetition."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.labeler.data.projection import PROJECTORS, apply_label_corrected
from shared.contract.events import AppliedCorrection, Event, HeldLabel, SetAside
from shared.contract.place import encode_place
from shared.tables.database import Database
from shared.tables.postgres import Transaction, connector
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

APPLY: dict[type[Event], Any] = {projector.event: projector.apply for projector in PROJECTORS}


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


async def fold(database: Database, events: list[Event]) -> object:
    """Return the tables after these events, starting from empty ones."""
    async with database.transaction() as transaction:
        for table in await transaction.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'labeler'"):
            if table["tablename"] not in ("migrations", "positions"):
                await transaction.execute(f"TRUNCATE {table['tablename']}")
        for event in events:
            await APPLY[type(event)](event, transaction)
    return await canonical_dump(database)


async def test_any_interleaving_and_any_repetition_gives_the_same_tables(tables: Database) -> None:
    events = a_history()
    expected = await fold(tables, events)

    for seed in range(20):
        assert await fold(tables, interleaved(events, seed)) == expected, f"seed {seed}"
    assert await tables.fetchval("SELECT count(*) FROM label_history WHERE applied") == 6
    assert await tables.fetchval("SELECT count(*) FROM predictions") == 1
    assert await tables.fetchval("SELECT count(*) FROM places") == 1
    assert await tables.fetchval("SELECT count(*) FROM current_images WHERE withdrawn_at IS NOT NULL") == 1
    assert await tables.fetchval("SELECT version FROM live_corrections") == "fast-1"


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
            await apply_label_corrected(event, connection)
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
