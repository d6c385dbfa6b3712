"""The event log on Kafka."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from shared.messaging.event_log import GroupConsumer, LogReader, Publisher, TopicPartition
from shared.messaging.kafka.consumer_group import KafkaGroup
from shared.messaging.kafka.publisher import KafkaPublisher
from shared.messaging.kafka.reader import KafkaReader, Probe
from shared.messaging.kafka.unreadable import install
from shared.runtime.kafka_connection import KafkaConnection


class KafkaEventLog:
    """Opens publishers, group members and readers. Made by `open_event_log`."""

    def __init__(self, connection: KafkaConnection, probe: Probe, lost_records: frozenset[str]) -> None:
        self._connection = connection
        self._probe = probe
        self._lost_records = lost_records

    def publisher(self, source: str, timeout_seconds: float = 30.0) -> AbstractAsyncContextManager[Publisher]:
        """See EventLog."""
        return KafkaPublisher.open(self._connection, source, timeout_seconds)

    def group(
        self, group: str, topics: Sequence[str], member: str | None = None
    ) -> AbstractAsyncContextManager[GroupConsumer]:
        """See EventLog."""
        return KafkaGroup.open(self._connection, group, topics, member)

    def reader(self, topics: Sequence[str]) -> AbstractAsyncContextManager[LogReader]:
        """See EventLog."""
        return KafkaReader.open(self._connection, topics, self._lost_records)

    async def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """See EventLog."""
        return await self._probe.end_offsets(await self._probe.partitions(topics))


@asynccontextmanager
async def open_event_log(
    connection: KafkaConnection, lost_records: Collection[str] = ()
) -> AsyncIterator[KafkaEventLog]:
    """Open the log. Does not wait for Kafka. Readers go past damaged records named in `lost_records`
    ("topic[partition]@offset")."""
    install()
    probe = Probe(connection)
    try:
        yield KafkaEventLog(connection, probe, frozenset(lost_records))
    finally:
        await probe.close()
