"""Topics on the broker: created as `shared.contract.topics` declares them, and checked; the lag of groups."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from aiokafka.errors import (  # type: ignore[import-untyped]
    InvalidReplicationFactorError,
    TopicAlreadyExistsError,
    for_code,
)

from shared.contract.topics import TOPICS, Topic, settings_of
from shared.messaging.event_log import TopicPartition
from shared.messaging.kafka.client import ANSWER_SECONDS, kafka_errors, open_admin, with_timeout
from shared.messaging.kafka.reader import Probe
from shared.runtime.errors import InvalidSettings, NotReady, PappusError, TransientError
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.retry import RetryPolicy, retrying

CREATE_SECONDS = 30.0
_SOON = RetryPolicy(first_seconds=0.05, factor=1.5, longest_seconds=0.5, attempts=30)
_POLL = RetryPolicy(first_seconds=0.1, factor=1.5, longest_seconds=1.0, attempts=None)


@dataclass(frozen=True, slots=True)
class Copies:
    """On how many brokers topics are kept, and how many must have an event before it is acknowledged (acks=all).

    Raises:
        InvalidSettings: more are asked for than there are.
    """

    replication: int = 1
    min_insync: int = 1

    def __post_init__(self) -> None:
        if self.min_insync > self.replication:
            raise InvalidSettings(
                f"PAPPUS_KAFKA_MIN_INSYNC_REPLICAS is {self.min_insync}, but topics are kept {self.replication} times:"
                " raise PAPPUS_KAFKA_REPLICATION_FACTOR, or lower it."
            )


async def create_topics(
    connection: KafkaConnection, topics: Sequence[Topic] = TOPICS, copies: Copies = Copies()
) -> list[str]:
    """Create missing topics with their partitions, retention, cleanup policy, largest record and copies, and wait until
    every topic can be used. Idempotent: topics with other settings get the declared ones; how many copies a topic has
    is settled when it is created. Return the names of new topics.

    Raises:
        TransientError: Kafka is away, or has too few brokers.
        PappusError: Kafka refused one, or one exists with another number of partitions.
    """
    wanted = [
        NewTopic(topic.name, topic.partitions, copies.replication, topic_configs=_settings(topic, copies))
        for topic in topics
    ]
    made: list[str] = []
    async with open_admin(connection) as admin:
        with kafka_errors("create topics"):
            await with_timeout(retrying(_SOON, lambda: _create(admin, wanted, made)), CREATE_SECONDS)
        await _alter(admin, [topic for topic in topics if topic.name not in made], copies)
    with kafka_errors("make all topics usable"):
        await with_timeout(retrying(_SOON, lambda: check_topics(connection, topics)), CREATE_SECONDS)
    return made


async def _create(admin: AIOKafkaAdminClient, wanted: Sequence[NewTopic], made: list[str]) -> None:
    """Make one attempt to create them; `made` gets the names of the new topics."""
    try:
        answer = await admin.create_topics(wanted, timeout_ms=int(ANSWER_SECONDS * 1000))
    except AttributeError as unnamed:  # how aiokafka fails when a broker that starts names no controller
        raise NotReady("Kafka names no controller yet. Is it starting?") from unnamed
    too_few = []
    for name, code, message in (entry[:3] for entry in answer.topic_errors):  # it never raises: the errors are here
        error = for_code(code)
        if code == 0:
            made.append(name)
        elif error is InvalidReplicationFactorError:
            too_few.append(name)
        elif error is not TopicAlreadyExistsError:
            raise PappusError(f"Kafka refused to create topic {name}: {error.__name__} {message or ''}")
    if too_few:  # a broker that has just started, or come back, counts only after its first heartbeat
        raise NotReady(f"Kafka has too few brokers for topic {too_few[0]}. Are all of them running?")


def _settings(topic: Topic, copies: Copies) -> dict[str, str]:
    return {**settings_of(topic), "min.insync.replicas": str(copies.min_insync)}


async def _alter(admin: AIOKafkaAdminClient, topics: Sequence[Topic], copies: Copies) -> None:
    """Change topics whose settings differ from the declared ones."""
    asked = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, dict.fromkeys(_settings(topic, copies)))
        for topic in topics
    ]
    with kafka_errors("describe topics"):
        answers = await with_timeout(admin.describe_configs(asked)) if asked else []
    found = {
        name: {one[0]: one[1] for one in settings} for answer in answers for _, _, _, name, settings in answer.resources
    }
    others = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, _settings(topic, copies))
        for topic in topics
        if found.get(topic.name) != _settings(topic, copies)
    ]
    with kafka_errors("change topics"):
        altered = await with_timeout(admin.alter_configs(others)) if others else []
    for code, message, _, name in (entry for answer in altered for entry in answer.resources):
        if code:
            raise PappusError(f"Kafka refused the settings of topic {name}: {for_code(code).__name__} {message or ''}")


async def check_topics(connection: KafkaConnection, topics: Sequence[Topic] = TOPICS) -> None:
    """Check that every topic exists with its number of partitions, each with a leader.

    Raises:
        NotReady: one is missing, or has no leader yet.
        PappusError: one has another number of partitions, so that keys would stand elsewhere than expected.
        TransientError: Kafka is away.
    """
    async with open_admin(connection) as admin:
        with kafka_errors("describe topics"):
            described = {
                entry["topic"]: entry for entry in await admin.describe_topics([topic.name for topic in topics])
            }
    for topic in topics:
        found = described.get(topic.name)
        if found is None or found["error_code"] != 0 or any(part["leader"] < 0 for part in found["partitions"]):
            raise NotReady(f"Topic {topic.name} is not there yet. `pappus up` creates it.")
        if len(found["partitions"]) != topic.partitions:
            raise PappusError(
                f"Topic {topic.name} has {len(found['partitions'])} partitions instead of {topic.partitions}."
                " Partition counts never change: set it right in shared/contract/topics.py, or start with an empty log."
            )


async def wait_until_ready(connection: KafkaConnection, timeout_seconds: float) -> None:
    """Wait until Kafka answers a request for metadata and has a broker (an open port is not enough).

    Raises:
        TransientError: it did not in time.
    """

    async def ask() -> None:
        async with open_admin(connection) as admin:
            with kafka_errors("answer"):
                cluster = await with_timeout(admin.describe_cluster())
        if not cluster["brokers"]:  # it answers, but has not rejoined its own cluster yet
            raise NotReady("Kafka has no broker yet.")

    try:
        async with asyncio.timeout(timeout_seconds):
            await retrying(_POLL, ask)
    except TimeoutError as error:
        raise TransientError(
            f"Kafka at {connection.bootstrap} did not answer within {timeout_seconds:g} s. Is it running?"
        ) from error


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """Where a group stands in a partition: the next offset it takes after a restart, and the end of the partition."""

    next: int
    end: int


async def group_lag(
    connection: KafkaConnection, group: str, topics: Sequence[str] = ()
) -> Mapping[TopicPartition, int]:
    """Return the lag of a group, in records, for each partition with a committed offset and each partition of `topics`
    (without a committed offset: all records). Raises TransientError."""
    found = await group_positions(connection, group, topics)
    return {partition: position.end - position.next for partition, position in found.items()}


async def group_positions(
    connection: KafkaConnection, group: str, topics: Sequence[str] = ()
) -> Mapping[TopicPartition, GroupPosition]:
    """Return where a group stands in each partition with a committed offset and each partition of `topics` (without a
    committed offset: at its beginning). Raises TransientError."""
    async with open_admin(connection) as admin:
        with kafka_errors("list committed offsets"):
            committed = await with_timeout(admin.list_consumer_group_offsets(group))
    positions = {
        TopicPartition(partition.topic, partition.partition): stored.offset for partition, stored in committed.items()
    }
    probe = Probe(connection)
    try:
        partitions = sorted({*positions, *await probe.partitions(topics)})
        beginnings, ends = await probe.beginning_offsets(partitions), await probe.end_offsets(partitions)
    finally:
        await probe.close()
    return {
        partition: GroupPosition(max(positions.get(partition, 0), beginnings[partition]), ends[partition])
        for partition in partitions
    }
