"""Which partitions the topics of the log in memory have."""

from collections.abc import Sequence

from shared.contract.topics import TOPIC_OF_NAME, Topic
from shared.messaging.event_log import TopicPartition

UNDECLARED_PARTITIONS = 4


def partitions_of(topics: Sequence[str]) -> list[TopicPartition]:
    """Return all partitions of the topics, as many as declared."""
    return [TopicPartition(topic, number) for topic in topics for number in range(count_partitions(topic))]


def count_partitions(topic: str) -> int:
    """Return how many partitions the topic has."""
    return declared_topic(topic).partitions


def declared_topic(topic: str) -> Topic:
    """Return the topic as declared; one of a test that is not declared gets UNDECLARED_PARTITIONS."""
    return TOPIC_OF_NAME.get(topic) or Topic(topic, UNDECLARED_PARTITIONS)
