"""What happens with topics that exist, cannot be made, or are missing."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from aiokafka.admin import NewTopic  # type: ignore[import-untyped]
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]

from bench.kafka_pitfalls.clients import admin_client, group_member, new_topic, producer
from bench.kafka_pitfalls.rows import Row

REQUEST_TIMEOUT_MS = 5_000
LONGEST_SECONDS = 60.0


async def created_topics(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on the admin client's answers."""
    existing = await new_topic(bootstrap)
    wanted = [
        NewTopic(existing, 1, 1),
        NewTopic("pitfall-config", 1, 1, topic_configs={"cleanup.policy": "nonsense"}),
        NewTopic("pitfall-replicas", 1, 3),
    ]
    async with admin_client(bootstrap) as admin:
        answer = await admin.create_topics(wanted)
    codes = ", ".join(str(entry[1]) for entry in answer.topic_errors)
    yield Row("create_topics: one that exists, a bad setting, too many replicas", f"raises nothing; codes {codes}")


async def altered_configs(bootstrap: str) -> AsyncIterator[Row]:
    """Yield a row on whether alter_configs keeps the settings it is not given."""
    topic = await new_topic(bootstrap, configs={"retention.ms": "111000", "max.message.bytes": "222000"})
    async with admin_client(bootstrap) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "333000"})])
        await asyncio.sleep(0.5)
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": None, "max.message.bytes": None})
        (answer,) = await admin.describe_configs([asked])
    found = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    kept = "kept" if found["max.message.bytes"] == "222000" else f"back to {found['max.message.bytes']}"
    yield Row("alter_configs with one setting of two", f"given {found['retention.ms']}; the other is {kept}")


async def missing_topics(bootstrap: str) -> AsyncIterator[Row]:
    """Yield rows on clients that ask for a topic that is not there."""
    sender = producer(bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await sender.start()
    try:
        outcome = await _outcome(sender.send_and_wait("pitfall-missing", b"x"))
    finally:
        await sender.stop()
    yield Row(f"send to a missing topic, request timeout {REQUEST_TIMEOUT_MS / 1000:g} s", outcome)
    consumer = group_member(bootstrap, "pitfall-missing")
    consumer.subscribe(topics=[await new_topic(bootstrap), "pitfall-missing"])
    try:
        outcome = await _outcome(consumer.start())
    finally:
        await consumer.stop()
    yield Row("consumer start() with one missing topic of two", outcome)


async def _outcome(call: object) -> str:
    """Wait for the call up to LONGEST_SECONDS. Return how it ended, and when."""
    began = perf_counter()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            await call  # type: ignore[misc]
    except TimeoutError:
        return f"still blocked after {LONGEST_SECONDS:g} s"
    except KafkaError as error:
        return f"{type(error).__name__} after {perf_counter() - began:.1f} s (n = 1)"
    return f"returns after {perf_counter() - began:.1f} s (n = 1)"
