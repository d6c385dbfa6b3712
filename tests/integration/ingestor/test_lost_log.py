"""After the log lost its end, a replay has every row announced again, and the ledger gives the same outcomes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest

from pappus.stack import Servers
from services.ingestor.announcer import Announcer
from services.ingestor.data.ledger import Ledger
from services.ingestor.data.projection import FOLD_VERSION, Tables, replay_plan
from services.ingestor.decisions.images import AcceptedImage
from services.ingestor.decisions.looks import look_of
from services.ingestor.precedence import Precedence
from shared.contract.events import Event, ImageRegistered, ImageStored
from shared.messaging.handler import run_handlers, subscribe
from shared.runtime.clock import utc_now
from shared.runtime.errors import LogReplaced
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.tables.database import Database
from shared.tables.projection import Projection
from shared.tables.replay import replay
from shared.testing import MemoryEventLog, eventually, image_registered

INSERT = "INSERT INTO plants_data (url_source, label) VALUES ($1, 'grass')"
UPLOADED = "uploads/aa/aaaa"
LOOK = look_of(np.zeros((8, 6, 3), np.uint8))


@asynccontextmanager
async def running(tables: Database, event_log: MemoryEventLog, group: str) -> AsyncIterator[list[ImageRegistered]]:
    """The projection, the announcer, and a fetcher that finds bytes of their own under every address; what was
    fetched."""
    fetched: list[ImageRegistered] = []
    ledger, health = Ledger(tables, utc_now), Health()

    async def on_image_registered(event: ImageRegistered) -> Sequence[Event]:
        if known := await ledger.outcome(event):
            return [known]
        fetched.append(event)
        digest = event.image_id.hex * 2
        return [await ledger.store(event, AcceptedImage(digest, 100, 8, 6, "PNG", digest[:16], digest, LOOK))]

    async with event_log.publisher("pappus/ingestor") as publisher:
        work = [
            Projection(event_log, tables, Tables("pappus", 5).projectors, health, fold_version=FOLD_VERSION).run(),
            Announcer(tables, publisher, RetryPolicy(attempts=5), 1.0, utc_now, Precedence()).run(health),
            run_handlers(
                event_log,
                group=group,
                source="pappus/ingestor",
                subscriptions=[subscribe(ImageRegistered, on_image_registered)],
                health=health,
            ),
        ]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            yield fetched
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def stored(tables: Database) -> set[UUID]:
    return {row["image_id"] for row in await tables.fetch("SELECT image_id FROM plants_data WHERE state = 'stored'")}


async def test_every_row_is_stored_again_after_a_replay(tables: Database, servers: Servers) -> None:
    event_log, upload = MemoryEventLog(), image_registered(url=None, upload_key=UPLOADED)
    for name in ("kept", "without-outcome", "lost"):
        await tables.execute(INSERT, f"http://example.org/{name}-{uuid4()}.jpg")
    async with running(tables, event_log, "before") as fetched, event_log.publisher("pappus/labeler") as labeler:
        await labeler.publish([upload])
        await eventually(lambda: all_stored(tables, 4))
        assert len(fetched) == 4
    before = {event.image_id: event for event in event_log.events(ImageStored)}
    registered = [event for event in event_log.events(ImageRegistered) if event.image_id != upload.image_id]

    event_log.clear()
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([registered[0], registered[1], before[registered[0].image_id]])
    with pytest.raises(LogReplaced):
        await Projection(event_log, tables, Tables("pappus", 5).projectors, Health(), fold_version=FOLD_VERSION).run()
    report = await replay(event_log, servers.database_url("ingestor"), replace(replay_plan(), schema=tables.schema))
    assert report.swapped
    assert "The log was replaced" in report.explained
    assert await stored(tables) == {registered[0].image_id}

    async with running(tables, event_log, "after") as fetched:
        await eventually(lambda: all_stored(tables, 4))
        assert not fetched, "the ledger knows every outcome"
    after = {event.image_id: event for event in event_log.events(ImageStored)}
    assert after == before
    (again,) = [event for event in event_log.events(ImageRegistered) if event.image_id == upload.image_id]
    assert (again.upload_key, again.url) == (UPLOADED, None)


async def all_stored(tables: Database, count: int) -> bool:
    return len(await stored(tables)) == count
