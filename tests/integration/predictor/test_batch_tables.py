"""What was asked in batches, as the tables show it: in any order of the topics, with repetitions, after a replay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from random import Random
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from pappus.stack import Servers
from services.predictor.data.batch_fold import WITHDRAWN, delete_batches_before
from services.predictor.data.batches import (
    count_numbered,
    count_unfinished,
    has_waiting,
    list_completions,
    list_predictions,
)
from services.predictor.data.projection import FOLD_VERSION, MIGRATIONS, projectors, replay_plan
from services.predictor.decisions.batches import object_key_of
from services.predictor.worker.batch_tables import BatchTables
from services.predictor.worker.retention import Retention
from shared.contract.batches import BatchAnswer, BatchRefusal, PredictionRequested
from shared.contract.events import Event
from shared.runtime.health import Health
from shared.storage.object_store import KeptObject
from shared.tables.database import Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import Projection, Projector, wait_until_caught_up
from shared.tables.replay import replay
from shared.testing import (
    MemoryEventLog,
    MemoryObjectStore,
    eventually,
    fresh_schema,
    image_withdrawn,
    prediction_completed,
    prediction_requested,
)

BATCH = UUID(int=64)
GONE = image_withdrawn()
ANSWER = BatchAnswer(
    label="dandelion",
    probabilities={"dandelion": 0.9, "grass": 0.1},
    model_version="fast-2f6c",
    sequence=7,
    sha256="ab" * 32,
)
OF_BATCH = {"batch_id": BATCH, "batch_size": 3, "callback_url": "https://shop.example/hook", "requested_by": "shop"}
REQUESTS = [
    prediction_requested(**OF_BATCH, file_name="meadow/leaf.png"),
    prediction_requested(**OF_BATCH, index=1, image_id=GONE.image_id),
]
OUTCOMES = [
    prediction_completed(batch_id=BATCH, batch_size=3, file_name="name of the repeated request.png"),
    prediction_completed(batch_id=BATCH, batch_size=3, index=1, image_id=GONE.image_id),
    prediction_completed(
        batch_id=BATCH,
        batch_size=3,
        index=2,
        file_name="empty.png",
        refusal=BatchRefusal(error="empty", detail="The file is empty."),
    ),
]
OF_TOPIC: dict[type[Event], Projector] = {projector.event: projector for projector in projectors()}
TOPICS = [projector.event.topic for projector in projectors()]


async def apply(database: Database, *events: Event) -> None:
    """Fold events of one type together."""
    together = OF_TOPIC[type(events[0])].apply_together
    async with database.transaction() as transaction:
        if together is not None:
            await together(events, transaction)
        else:
            for event in events:
                await OF_TOPIC[type(event)].apply(event, transaction)


async def empty(database: Database) -> None:
    await database.execute("TRUNCATE batches, batch_predictions, completion_numbers, withdrawn_images")


async def outcomes(database: Database) -> dict[int, tuple[str | None, str | None]]:
    rows = await database.fetch("SELECT index, label, error FROM batch_predictions ORDER BY index")
    return {row["index"]: (row["label"], row["error"]) for row in rows}


@asynccontextmanager
async def tables(servers: Servers) -> AsyncIterator[Database]:
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema, schema.open() as database:
        yield database


async def test_any_order_and_any_repetition_gives_the_same_tables(servers: Servers) -> None:
    found = []
    events: list[Event] = [*REQUESTS, *OUTCOMES, GONE]
    async with tables(servers) as database:
        for order in Random(64).sample(list(permutations(events)), 60):
            await empty(database)
            for event in [*order, order[0], order[3]]:
                await apply(database, event)
            found.append(await canonical_dump(database, without=("positions",)))
            assert await outcomes(database) == {0: ("dandelion", None), 1: (None, WITHDRAWN), 2: (None, "empty")}
    assert all(each == found[0] for each in found)


async def test_a_batch_is_as_old_however_its_requests_are_folded(servers: Servers) -> None:
    """Two replicas may be at one request at once, and the log may have the later repetition first."""
    late = REQUESTS[0]
    early = late.model_copy(update={"occurred_at": late.occurred_at - timedelta(seconds=5)})
    found = []
    async with tables(servers) as database:
        for polls in ([[late, early]], [[late], [early]]):
            await empty(database)
            for events in polls:
                await apply(database, *events)
            found.append(await canonical_dump(database, without=("positions",)))
    assert found[0] == found[1]


async def test_a_prediction_has_the_name_of_its_request_before_any_other(servers: Servers) -> None:
    async with tables(servers) as database:
        await apply(database, *OUTCOMES)
        early = await list_predictions(database, BATCH, -1, 10)
        await apply(database, *REQUESTS)
        found = await list_predictions(database, BATCH, -1, 10)
    assert [each.file_name for each in early] == ["name of the repeated request.png", None, "empty.png"]
    assert [each.file_name for each in found] == ["meadow/leaf.png", None, "empty.png"]


async def test_the_first_completed_event_counts_and_has_one_number(servers: Servers) -> None:
    first = OUTCOMES[0]
    other = first.model_copy(update={"answer": ANSWER.model_copy(update={"label": "grass"})})
    async with tables(servers) as database:
        await apply(database, first, other, first)
        await apply(database, other)
        assert await outcomes(database) == {0: ("dandelion", None)}
        assert await database.fetchval("SELECT count(*) FROM completion_numbers") == 1


async def test_answers_about_bytes_that_were_taken_back_are_not_kept(servers: Servers) -> None:
    same_bytes = prediction_completed(answer=ANSWER.model_copy(update={"sha256": GONE.sha256}))
    async with tables(servers) as database:
        await apply(database, same_bytes)
        await apply(database, GONE)
        after = await outcomes(database)
        await empty(database)
        await apply(database, GONE)
        await apply(database, same_bytes)
        assert after == await outcomes(database) == {0: (None, WITHDRAWN)}
        assert await database.fetchval("SELECT count(*) FROM batch_predictions WHERE sha256 IS NOT NULL") == 0


async def test_numbers_follow_the_order_in_which_predictions_completed(servers: Servers) -> None:
    async with tables(servers) as database:
        await apply(database, *REQUESTS)
        for event in reversed(OUTCOMES):
            await apply(database, event)
        rows = await database.fetch("SELECT prediction_id FROM completion_numbers ORDER BY number")
    assert [row["prediction_id"] for row in rows] == [event.prediction_id for event in reversed(OUTCOMES)]


async def test_old_batches_leave_the_tables_whole(servers: Servers) -> None:
    late = timedelta(days=20)
    kept = prediction_requested(occurred_at=REQUESTS[0].occurred_at + late)
    async with tables(servers) as database:
        await apply(database, *REQUESTS, kept)
        await apply(database, *OUTCOMES)
        assert await delete_batches_before(database, REQUESTS[0].occurred_at + timedelta(days=1)) == 3
        for table in ("batches", "batch_predictions"):
            assert [row["batch_id"] for row in await database.fetch(f"SELECT batch_id FROM {table}")] == [kept.batch_id]
        assert await database.fetchval("SELECT count(*) FROM completion_numbers") == 0


async def test_bytes_leave_with_their_time_and_with_an_image_that_was_taken_back(servers: Servers) -> None:
    store, now = MemoryObjectStore(), REQUESTS[0].occurred_at
    old, fresh, gone = (object_key_of(sha256) for sha256 in ("1a" * 32, "2b" * 32, GONE.sha256))
    for key in (old, fresh, gone, "images/sha256/1a/1a"):
        await store.put(key, b"bytes")
        store.put_at[key] = now - timedelta(days=15 if key in (old, "images/sha256/1a/1a") else 1)
    async with tables(servers) as database:
        await apply(database, GONE)
        await Retention(database, store, 14, lambda: now).delete_old()
    assert await store.keys("") == sorted([fresh, "images/sha256/1a/1a"])


async def test_bytes_are_looked_through_in_small_parts(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    store, lengths, now = MemoryObjectStore(), list[int](), REQUESTS[0].occurred_at
    list_objects = store.list_objects

    async def counted(prefix: str) -> list[KeptObject]:
        listed = await list_objects(prefix)
        lengths.append(len(listed))
        return listed

    monkeypatch.setattr(store, "list_objects", counted)
    for first in range(256):
        key = object_key_of(f"{first:02x}" * 32)
        await store.put(key, b"bytes")
        store.put_at[key] = now - timedelta(days=15)
    async with tables(servers) as database:
        await Retention(database, store, 14, lambda: now).delete_old()
    assert await store.keys("") == []
    assert max(lengths) == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_a_replay_gives_the_same_tables_and_keeps_the_numbers(servers: Servers, lost: bool) -> None:
    """`lost`: the requests have left their topic meanwhile."""
    event_log, url = MemoryEventLog(), servers.database_url("postgres")
    async with event_log.publisher("pappus/jobs") as publisher:
        for event in [OUTCOMES[2], *REQUESTS, *OUTCOMES, GONE, *(prediction_requested() for _ in range(40))]:
            await publisher.publish([event])
    async with fresh_schema(url, MIGRATIONS) as schema, schema.open() as database:
        running = asyncio.create_task(
            Projection(event_log, database, projectors(), Health(), fold_version=FOLD_VERSION).run()
        )
        await wait_until_caught_up(event_log, database, TOPICS, 20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        numbers = "SELECT number, prediction_id FROM completion_numbers ORDER BY number"
        before, numbered = await canonical_dump(database), await database.fetch(numbers)
        if lost:
            for partition in await event_log.end_offsets([PredictionRequested.topic]):
                event_log.expire(partition, event_log.end(partition) - 1)
            assert not set(REQUESTS) & set(event_log.events(PredictionRequested))
        report = await replay(event_log, url, replace(replay_plan(), schema=schema.name))
        assert report.swapped
        assert not report.differing
        assert await canonical_dump(database, without=("positions",)) == {
            name: value for name, value in before.items() if name != "positions"
        }
        assert await database.fetch(numbers) == numbered
        assert len(numbered) == len(OUTCOMES)


async def test_images_wait_until_they_have_an_outcome(servers: Servers) -> None:
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema, schema.open() as database:
        await apply(database, *REQUESTS)
        assert await count_unfinished(database) == 2
        await apply(database, OUTCOMES[0])
        assert await count_unfinished(database) == 1
        assert (await has_waiting(database, BATCH), await count_numbered(database, BATCH)) == (True, 1)
        await apply(database, OUTCOMES[2])  # before its request is seen
        await apply(database, OUTCOMES[1].model_copy(update={"prediction_id": UUID(int=1), "batch_id": UUID(int=2)}))
        assert (await has_waiting(database, UUID(int=2)), await count_numbered(database, UUID(int=2))) == (False, 1)
        counting = asyncio.create_task(BatchTables(database).run())
        try:
            await eventually(lambda: REGISTRY.get_sample_value("pappus_batch_predictions_waiting_images") == 1)
        finally:
            counting.cancel()


async def test_what_a_replay_folded_further_is_numbered_behind_the_rest(servers: Servers) -> None:
    event_log, url = MemoryEventLog(), servers.database_url("postgres")
    async with fresh_schema(url, MIGRATIONS) as schema, schema.open() as database:
        numbers = BatchTables(database)
        await apply(database, OUTCOMES[2])
        await numbers.number_the_rest()
        async with event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([*OUTCOMES, *REQUESTS])
        report = await replay(event_log, url, replace(replay_plan(), schema=schema.name))
        assert report.swapped
        await numbers.number_the_rest()
        shown = [one.prediction.index for one in await list_completions(database, BATCH, 0, 10)]
        assert shown[0] == 2
        assert sorted(shown) == [0, 1, 2]
