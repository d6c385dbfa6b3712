"""A compacted topic: records that a later one of their key replaces are gone, and readers go on across the gap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.image_scored import ImageScored
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import create_topics
from shared.tables.database import Database
from shared.tables.projection import Projector, Transaction, on_event, wait_until_caught_up
from shared.testing import MemoryEventLog, eventually, image_scored, read_all
from tests.contract.test_projection import projecting, publish

TOPIC = ImageScored.topic
AT_ONCE = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.0",
    "min.compaction.lag.ms": "0",
}
"""A segment is closed by the first record that comes 0.1 s after its first one."""
pytestmark = pytest.mark.timeout(120)
Compact = Callable[[], Awaitable[None]]


@asynccontextmanager
async def eager_cleaner(servers: Servers) -> AsyncIterator[None]:
    """Let the broker close and compact the segments of the topic at once."""
    admin = AIOKafkaAdminClient(**servers.kafka.client_settings)
    await admin.start()

    async def pause(milliseconds: int) -> None:
        [broker] = (await admin.describe_cluster())["brokers"]
        settings = {"log.cleaner.backoff.ms": str(milliseconds)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, str(broker["node_id"]), settings)])

    try:
        await pause(100)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, AT_ONCE)])
        await eventually(lambda: goes_by_them(admin), 60)
        yield
    finally:
        await pause(15_000)
        await admin.close()
        await create_topics(servers.kafka)  # which gives the topic its declared settings


async def goes_by_them(admin: AIOKafkaAdminClient) -> bool:
    """Return whether the broker goes by AT_ONCE; what is published before lies in one segment, which stays open."""
    [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
    [(_, _, _, _, entries)] = answer.resources
    return AT_ONCE.items() <= {name: value for name, value, *_ in entries}.items()


@pytest.fixture
async def compact(event_log: EventLog, request: pytest.FixtureRequest) -> AsyncIterator[Compact]:
    """Remove what later records of the log replace, but the newest two of a partition."""
    if isinstance(event_log, MemoryEventLog):

        async def in_memory() -> None:
            event_log.compact(TOPIC)

        yield in_memory
        return

    async def on_kafka() -> None:
        """Wait until only two records of a key are left: the last of the closed segments, and the last of all."""

        async def compacted() -> bool:
            keys = [record.key for record in await read_all(event_log, [TOPIC])]
            return all(keys.count(key) <= 2 for key in keys)

        await eventually(compacted, 60)

    async with eager_cleaner(request.getfixturevalue("servers")):
        yield on_kafka


def collecting(seen: list[int | None]) -> Projector:
    """Return a projector that notes the sequence of each answer."""

    async def apply(event: ImageScored, transaction: Transaction) -> None:
        seen.append(event.answer.sequence if event.answer else None)

    return on_event(ImageScored, apply)


async def test_a_projection_goes_on_where_the_record_before_is_gone(
    event_log: EventLog, database: Database, compact: Compact
) -> None:
    image_id, seen = uuid4(), list[int | None]()

    async def fold() -> None:
        async with projecting(event_log, database, projectors=[collecting(seen)]):
            await wait_until_caught_up(event_log, database, [TOPIC], 20)

    await publish_slowly(event_log, image_id, 1)
    await fold()
    await publish_slowly(event_log, image_id, 2, 3, 4)
    await compact()
    assert next(record.offset for record in await read_all(event_log, [TOPIC])) > 0, "the one before is gone"
    await fold()
    assert (seen[0], seen[-1]) == (1, 4)
    assert len(seen) < 5
    await publish_slowly(event_log, image_id, 5)
    await fold()
    assert seen[-1] == 5


async def publish_slowly(event_log: EventLog, image_id: UUID, *sequences: int) -> None:
    """Publish answers so far apart that each begins a segment."""
    for sequence in sequences:
        await publish(event_log, image_scored(image_id=image_id, sequence=sequence))
        await asyncio.sleep(0.15)
