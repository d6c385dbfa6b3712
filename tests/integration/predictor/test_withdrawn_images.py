"""What was answered about a withdrawn image is in no table, in any order of the topics; a replay gives the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest

from pappus.stack import Servers
from services.predictor.data.prediction_days import keep_days
from services.predictor.data.projection import FOLD_VERSION, MIGRATIONS, is_withdrawn, projectors, replay_plan
from services.predictor.worker.withdrawn import WithdrawnImages
from shared.contract.events import Event
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.runtime.clock import utc_now
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import Projection, wait_until_caught_up
from shared.tables.replay import replay
from shared.testing import MemoryEventLog, answers_logged, fresh_schema, image_withdrawn, prediction_logged

APPLY = {projector.event: projector.apply for projector in projectors()}
GONE = image_withdrawn()
ALONE = prediction_logged()
TOGETHER = prediction_logged(corrections=(UUID(int=7), UUID(int=8)))
ABOUT: list[PredictionLogged | AnswersLogged] = [
    prediction_logged(image_id=GONE.image_id),
    prediction_logged(image_id=None, sha256=GONE.sha256),
    ALONE,
    answers_logged(TOGETHER, prediction_logged(sha256=GONE.sha256)),
]
KEPT = {ALONE.prediction_id, TOGETHER.prediction_id}


async def test_any_order_and_any_repetition_gives_the_same_tables(servers: Servers) -> None:
    found = []
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema, schema.open() as database:
        for order in permutations([GONE, *ABOUT]):
            await database.execute("TRUNCATE predictions, withdrawn_images")
            for event in [*order, order[0]]:
                async with database.transaction() as transaction:
                    await APPLY[type(event)](event, transaction)
            found.append(await canonical_dump(database, without=("positions",)))
            rows = await database.fetch("SELECT prediction_id FROM predictions")
            assert {row["prediction_id"] for row in rows} == KEPT
        assert await is_withdrawn(database, GONE.image_id)
    assert all(each == found[0] for each in found)


@asynccontextmanager
async def folding(event_log: MemoryEventLog, database: Database) -> AsyncIterator[None]:
    """Run the projection."""
    projection = Projection(event_log, database, projectors(), Health(), fold_version=FOLD_VERSION)
    running = asyncio.create_task(projection.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_replay_gives_the_same_tables(servers: Servers) -> None:
    event_log, url = MemoryEventLog(), servers.database_url("postgres")
    events: list[Event] = [ABOUT[0], ABOUT[2], GONE, ABOUT[1], ABOUT[3]]
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)
    async with fresh_schema(url, MIGRATIONS) as schema, schema.open() as database:
        async with folding(event_log, database):
            topics = [projector.event.topic for projector in projectors()]
            await wait_until_caught_up(event_log, database, topics, 20)
            report = await replay(event_log, url, replace(replay_plan(), schema=schema.name))
        assert (report.differing, report.swapped) == ((), True)
        assert await database.fetchval("SELECT count(*) FROM predictions") == len(KEPT)
        kept = await keep_days(database, utc_now(), 14)
        assert (kept.made, kept.dropped) == ((), ())  # the new tables have their days


async def test_answers_together_give_the_rows_that_each_alone_gives(servers: Servers) -> None:
    together = answers_logged(TOGETHER, *(prediction_logged(model_version=f"v{number}") for number in range(5)))
    found = []
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema, schema.open() as database:
        for events in ([together], [together, together], together.each(), [*together.each()[:3], together]):
            await database.execute("TRUNCATE predictions")
            async with database.transaction() as transaction:
                for event in events:
                    await APPLY[type(event)](event, transaction)
            found.append(await canonical_dump(database, without=("positions",)))
    assert found[0]
    assert all(each == found[0] for each in found)


async def test_the_worker_waits_until_the_tables_show_the_withdrawals(servers: Servers) -> None:
    event_log = MemoryEventLog()
    async with fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema, schema.open() as database:
        async with event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([GONE])
        with pytest.raises(TransientError):
            await WithdrawnImages(event_log, database, caught_up_seconds=0.1).holds(GONE.image_id)
        async with folding(event_log, database):
            assert await WithdrawnImages(event_log, database).holds(GONE.image_id)
