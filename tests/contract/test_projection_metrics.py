"""What a projection shows of its lag is that of the process that writes."""

import asyncio

from prometheus_client import REGISTRY

from shared.contract.events import ImageRegistered
from shared.messaging.event_log import EventLog
from shared.runtime.health import Health
from shared.runtime.metrics import OLDEST_WAITING_SECONDS
from shared.tables.database import Database
from shared.tables.projection import Projection, Transaction, on_event, wait_until_caught_up
from shared.testing import image_registered


async def fold_nothing(_event: ImageRegistered, _transaction: Transaction) -> None:
    return


async def test_a_writer_that_stops_leaves_no_lag_on_display(event_log: EventLog, database: Database) -> None:
    part = {"part": f"projection {database.schema}"}
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([image_registered()])
    projection = Projection(event_log, database, [on_event(ImageRegistered, fold_nothing)], Health())
    running = asyncio.create_task(projection.run())
    try:
        await wait_until_caught_up(event_log, database, projection.topics, 20)
        OLDEST_WAITING_SECONDS.labels(**part).set(130)
        assert REGISTRY.get_sample_value("pappus_oldest_waiting_seconds", part) == 130
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert REGISTRY.get_sample_value("pappus_oldest_waiting_seconds", part) == 0
