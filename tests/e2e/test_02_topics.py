"""What is on the broker after the story."""

import json
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from shared.contract.topics import DEAD_LETTER_TOPICS, EVENT_TOPICS, FAUST_TOPICS, TOPICS
from shared.messaging.codec import decode
from shared.messaging.event_log import Record

from .demo_run import Told

NOT_IN_EVERY_STORY = {
    "drift.detected",
    "image.rejected",
    "image.withdrawn",
    "label.voted",
    "label_set.changed",
    "model.rejected",
    "prediction.completed",
    "prediction.logged",  # of earlier releases
    "prediction.requested",
    "trial.compared",
    "trial.started",
}


@pytest.fixture
async def admin(told: Told) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that asks the broker."""
    client = AIOKafkaAdminClient(bootstrap_servers=told.servers.kafka_bootstrap)
    await client.start()
    yield client
    await client.close()


async def test_the_broker_has_exactly_the_declared_topics(admin: AIOKafkaAdminClient) -> None:
    assert set(await admin.list_topics()) == {topic.name for topic in TOPICS} | {"__consumer_offsets"}


async def test_every_record_is_a_readable_event_of_its_topic(told: Told) -> None:
    records = await told.records(topic.name for topic in EVENT_TOPICS)
    for record in records:
        envelope = read_json(record)
        event = decode(record.topic, record.value)
        assert (envelope["id"], envelope["type"]) == (str(event.event_id), record.topic)
        assert envelope["source"].startswith("pappus/")
        assert record.key == event.key
    assert {topic.name for topic in EVENT_TOPICS} - {record.topic for record in records} <= NOT_IN_EVERY_STORY


async def test_nothing_was_given_up(told: Told) -> None:
    assert await told.records(topic.name for topic in DEAD_LETTER_TOPICS) == []


async def test_the_changelogs_of_faust_are_readable_too(told: Told) -> None:
    changelogs = [topic.name for topic in FAUST_TOPICS if topic.name.endswith("-changelog")]
    records = await told.records(changelogs)
    assert records
    assert all(record.value is None or read_json(record) for record in records)


def read_json(record: Record) -> dict[str, str]:
    """Return the value as JSON."""
    found = json.loads(record.value or b"")
    assert isinstance(found, dict), record
    return found
