"""A publisher that reconnects."""

import asyncio

import pytest

from services.labeler.commands.reconnecting_publisher import ReconnectingPublisher
from shared.contract.events import ImageStored
from shared.runtime.errors import NotReady
from shared.runtime.health import Health
from shared.testing import MemoryEventLog, eventually, image_stored


async def test_it_fails_at_once_without_a_log_and_publishes_with_one() -> None:
    event_log, publisher, health = MemoryEventLog(), ReconnectingPublisher(), Health()
    with pytest.raises(NotReady):
        await publisher.publish([image_stored()])

    staying = asyncio.create_task(publisher.stay_connected(event_log, "pappus/jobs", health))
    await eventually(lambda: health.ready)
    await publisher.publish([image_stored()])
    assert len(event_log.events(ImageStored)) == 1

    staying.cancel()
    await asyncio.gather(staying, return_exceptions=True)
    with pytest.raises(NotReady):
        await publisher.publish([image_stored()])
