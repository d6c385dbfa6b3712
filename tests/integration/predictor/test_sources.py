"""Where the process of batches finds bytes: stored images by the tables, web addresses with the guard of downloads."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from aiohttp import web

from pappus.stack import Servers
from services.predictor.batches.sources import Refused, SourceBytes
from services.predictor.data.projection import FOLD_VERSION, MIGRATIONS, projectors
from services.predictor.decisions.batches import object_key_of
from shared.contract.batches import PredictionRequested
from shared.contract.events import ImageStored
from shared.runtime.health import Health
from shared.tables.projection import Projection
from shared.testing import (
    MemoryEventLog,
    MemoryObjectStore,
    fresh_schema,
    image_stored,
    image_withdrawn,
    prediction_requested,
)
from shared.web.download.downloader import Downloader
from shared.web.download.limits import DownloadLimits
from tests.unit.predictor.small_model import picture, sha256_of

RED = picture(255, 0, 0)
LONGEST = 10_000


@dataclass
class World:
    """A log, a store, and what finds bytes."""

    event_log: MemoryEventLog
    store: MemoryObjectStore
    sources: SourceBytes
    host: str

    async def stored(self) -> ImageStored:
        """Store an image, and say so; the tables may not show it yet."""
        event = image_stored(sha256=sha256_of(RED), object_key=f"images/sha256/aa/{sha256_of(RED)}")
        await self.store.put(event.object_key, RED)
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([event])
        return event

    async def refusal(self, request: PredictionRequested) -> str:
        with pytest.raises(Refused) as caught:
            await self.sources.fetch(request)
        assert caught.value.refusal.detail
        return caught.value.refusal.error


async def serve(request: web.BaseRequest) -> web.StreamResponse:
    match request.path:
        case "/red.png":
            return web.Response(body=RED)
        case "/large":
            return web.Response(body=b"x" * (LONGEST + 1))
        case "/inside":
            return web.Response(status=302, headers={"Location": "http://169.254.169.254/secret"})
    return web.Response(status=404)


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    event_log, store = MemoryEventLog(), MemoryObjectStore()
    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"127.0.0.1:{runner.addresses[0][1]}"
    limits = DownloadLimits(LONGEST, (host,), fetch_tries=1)
    async with (
        fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema,
        schema.open() as database,
        Downloader.open(limits) as downloads,
    ):
        running = asyncio.create_task(
            Projection(event_log, database, projectors(), Health(), fold_version=FOLD_VERSION).run()
        )
        yield World(event_log, store, SourceBytes(store, event_log, database, downloads, LONGEST), host)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await runner.cleanup()


async def test_a_stored_image_is_found_as_soon_as_the_log_has_it(world: World) -> None:
    event = await world.stored()
    assert await world.sources.fetch(prediction_requested(image_id=event.image_id)) == RED


async def test_an_image_that_is_not_stored_is_refused(world: World) -> None:
    assert await world.refusal(prediction_requested(image_id=uuid4())) == "unknown_image"


async def test_an_image_that_was_taken_back_is_refused(world: World) -> None:
    event = await world.stored()
    await world.store.delete(event.object_key)
    async with world.event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish([image_withdrawn(image_id=event.image_id, sha256=event.sha256)])
    assert await world.refusal(prediction_requested(image_id=event.image_id)) == "image_withdrawn"


async def test_bytes_that_are_gone_or_damaged_are_refused(world: World) -> None:
    request = prediction_requested(sha256=sha256_of(RED), object_key=object_key_of(sha256_of(RED)))
    assert await world.refusal(request) == "bytes_gone"
    await world.store.put(object_key_of(sha256_of(RED)), RED[:-1])
    assert await world.refusal(request) == "bytes_damaged"


async def test_what_is_at_a_web_address_is_fetched_within_the_limits(world: World) -> None:
    assert await world.sources.fetch(prediction_requested(url=f"http://{world.host}/red.png")) == RED
    assert await world.refusal(prediction_requested(url=f"http://{world.host}/none")) == "not_found"
    assert await world.refusal(prediction_requested(url=f"http://{world.host}/large")) == "too_large"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.png", "http://localhost:8080/a.png", "http://10.0.0.7/a.png", "http://{host}/inside"]
)
async def test_private_addresses_are_refused_also_by_name_and_redirect(world: World, url: str) -> None:
    assert await world.refusal(prediction_requested(url=url.format(host=world.host))) == "address_forbidden"
