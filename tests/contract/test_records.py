"""Records at the limits: as large as they may be, larger, and with headers that no part of Pappus writes."""

from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import AppliedCorrection, ImageStored, LabelCorrected, ModelTrained
from shared.contract.topics import LARGEST_BYTES, TOPIC_OF_NAME, dead_letter_topic
from shared.messaging.codec import decode
from shared.messaging.dead_letters import make_dead_letter
from shared.messaging.event_log import EventLog, GroupConsumer, LogReader, Record
from shared.messaging.kafka import create_topics
from shared.messaging.tracing import process_span
from shared.runtime.errors import InvalidMessage, PappusError
from shared.testing import eventually, image_stored, label_corrected, model_trained


async def first(source: GroupConsumer | LogReader) -> Record:
    """Return the first record that comes."""

    async def there() -> Record | None:
        return next(iter(await source.poll(0.2)), None)

    record = await eventually(there)
    assert record is not None
    return record


async def test_a_model_with_very_many_corrections_can_be_announced_and_read(event_log: EventLog) -> None:
    corrections = tuple(AppliedCorrection(image_id=UUID(int=number), revision=1) for number in range(100_000))
    event = model_trained(corrections=corrections)
    async with event_log.publisher("pappus/jobs") as publisher:
        [record] = await publisher.publish([event])
    assert len(record.value or b"") > 5_000_000
    async with event_log.reader([ModelTrained.topic]) as reader, event_log.group("test", [ModelTrained.topic]) as group:
        await reader.start_at({})
        for source in (reader, group):
            found = await first(source)
            assert decode(found.topic, found.value) == event


async def test_an_event_that_is_too_large_for_its_topic_is_refused(event_log: EventLog) -> None:
    async with event_log.publisher("pappus/jobs") as publisher:
        with pytest.raises(PappusError, match="too large"):
            await publisher.publish([label_corrected(reason="x" * 1_100_000)])
        await publisher.publish([label_corrected()])
    async with event_log.reader([LabelCorrected.topic]) as reader:
        await reader.start_at({})
        assert isinstance(decode(LabelCorrected.topic, (await first(reader)).value), LabelCorrected)


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (ImageStored.topic, b"\xff" * 1_000_000),
        (ImageStored.topic, b"\x01" * 1_000_000),
        (ModelTrained.topic, b"\xff" * (LARGEST_BYTES - 1_000)),
    ],
    ids=["no text", "control characters", "the largest"],
)
async def test_rubbish_as_large_as_a_record_may_be_still_makes_a_letter(
    event_log: EventLog, topic: str, value: bytes
) -> None:
    dead_letter = make_dead_letter(
        Record(topic, 0, 0, "k" * 200, value), InvalidMessage("no"), handler="test", attempts=1
    )
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish_dead_letter(dead_letter)
    async with event_log.reader([dead_letter_topic(topic)]) as reader:
        await reader.start_at({})
        assert DeadLetter.model_validate_json((await first(reader)).value or b"") == dead_letter


async def test_a_header_without_a_value_is_as_good_as_absent(kafka: EventLog, servers: Servers) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka_bootstrap)
    await producer.start()
    headers = [("traceparent", None), ("tracestate", "ü".encode()), ("other", b"\xff")]
    await producer.send_and_wait(ImageStored.topic, b"{}", key=str(uuid4()).encode(), headers=headers)
    await producer.stop()
    async with kafka.reader([ImageStored.topic]) as reader, kafka.group("test", [ImageStored.topic]) as group:
        await reader.start_at({})
        for source in (reader, group):
            record = await first(source)
            assert dict(record.headers) == {"tracestate": "ü".encode(), "other": b"\xff"}
            with process_span(record, "process"):
                pass


async def test_a_topic_that_was_made_with_a_smaller_limit_gets_the_declared_one(
    kafka: EventLog, servers: Servers
) -> None:
    names = (ModelTrained.topic, dead_letter_topic(ModelTrained.topic), ImageStored.topic)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka_bootstrap)
    await admin.start()

    async def settings(name: str) -> dict[str, str]:
        wanted = {"max.message.bytes": None, "retention.ms": None, "cleanup.policy": None}
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted)])
        [(_, _, _, _, found)] = answer.resources
        return {entry[0]: entry[1] for entry in found}

    declared = {
        name: {
            "max.message.bytes": str(TOPIC_OF_NAME[name].max_bytes),
            "retention.ms": str(TOPIC_OF_NAME[name].retention_ms),
            "cleanup.policy": "delete",
        }
        for name in names
    }
    try:
        assert {name: await settings(name) for name in names} == declared
        older = [
            ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": declared[name]["retention.ms"]})
            for name in names
        ]
        await admin.alter_configs(older)

        async def narrow() -> bool:
            return (await settings(ModelTrained.topic))["max.message.bytes"] == "1048588"

        await eventually(narrow)
        assert await create_topics(servers.kafka) == []

        async def as_declared() -> bool:
            return {name: await settings(name) for name in names} == declared

        await eventually(as_declared)
    finally:
        await admin.close()
    async with kafka.publisher("pappus/jobs") as publisher:
        await publisher.publish([image_stored()])
