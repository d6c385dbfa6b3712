"""A topic is read once: from its beginning, or from where the caller says, to the end as it is now."""

from uuid import uuid4

import pytest

from shared.messaging.event_log import Record
from shared.messaging.reading import read_to_the_end
from shared.testing import MemoryEventLog, label_corrected

TOPIC = "label.corrected"


@pytest.fixture
def log() -> MemoryEventLog:
    """A log that is empty."""
    return MemoryEventLog()


async def publish(log: MemoryEventLog, number: int) -> list[Record]:
    """Publish corrections of one image: they stand in one partition."""
    image_id = uuid4()
    async with log.publisher("pappus/labeler") as publisher:
        return list(await publisher.publish([label_corrected(image_id=image_id) for _ in range(number)]))


async def test_every_record_comes_once_and_in_its_order(log: MemoryEventLog) -> None:
    published = await publish(log, 3)
    async with log.reader([TOPIC]) as reader:
        found = [(each.offset, each.value) async for each in read_to_the_end(reader)]
    assert found == [(each.offset, each.value) for each in published]


async def test_reading_begins_where_the_caller_says(log: MemoryEventLog) -> None:
    first, *_ = await publish(log, 3)
    async with log.reader([TOPIC]) as reader:
        found = [each.offset async for each in read_to_the_end(reader, {first.topic_partition: 2})]
    assert found == [2]


async def test_an_empty_topic_ends_at_once(log: MemoryEventLog) -> None:
    async with log.reader([TOPIC]) as reader:
        assert [each async for each in read_to_the_end(reader)] == []
