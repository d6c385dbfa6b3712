"""The client settings whose effect is measured, spelled out here so that a row says what the client does, not what
the code of a service makes of it."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # type: ignore[import-untyped]
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped]

BULK: dict[str, Any] = {"linger_ms": 5, "max_batch_size": 131_072}


@asynccontextmanager
async def admin_client(bootstrap: str, **settings: Any) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a started admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **settings)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def new_topic(
    bootstrap: str, partitions: int = 1, configs: Mapping[str, str] | None = None, name: str | None = None
) -> str:
    """Create a topic, with a name of its own if none is given. Returns: the name."""
    name = name or f"pitfall-{uuid.uuid4().hex[:8]}"
    async with admin_client(bootstrap) as admin:
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(configs or {}))])
    if answer.topic_errors[0][1]:
        raise RuntimeError(f"Topic {name} was refused: {answer.topic_errors[0]}. Is the broker healthy?")
    return name


def producer(bootstrap: str, **settings: Any) -> AIOKafkaProducer:
    """Return an idempotent producer that waits for nothing."""
    return AIOKafkaProducer(**{"bootstrap_servers": bootstrap, "enable_idempotence": True, "linger_ms": 0} | settings)


def reader(bootstrap: str, topic: str, **settings: Any) -> AIOKafkaConsumer:
    """Return a consumer without a group that will read partition 0 of a topic from the start."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", **settings
    )
    consumer.assign([TopicPartition(topic, 0)])
    return consumer


def group_member(
    bootstrap: str, group: str, session_ms: int = 10_000, instance_id: str | None = None, **settings: Any
) -> AIOKafkaConsumer:
    """Return a member of a group that commits by hand; subscribe it to topics."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        group_instance_id=instance_id,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=3_000,
        rebalance_timeout_ms=30_000,
        request_timeout_ms=40_000,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        **settings,
    )
