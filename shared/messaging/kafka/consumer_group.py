"""Membership in a consumer group: records in, offsets committed by hand, an orderly hand-over at a rebalance."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor  # type: ignore[import-untyped]
from aiokafka.errors import CommitFailedError, IllegalStateError  # type: ignore[import-untyped]

from shared.contract.dead_letter import skipped_group
from shared.messaging.event_log import Record, ReportMembership, TopicPartition
from shared.messaging.kafka.client import (
    CONSUMER,
    FIXED_REPLICA_SESSION_MS,
    SCALED_REPLICA_SESSION_MS,
    kafka_errors,
    start_with_retry,
    stop_within,
    to_kafka,
    to_record,
    wait_for_topics,
    with_timeout,
)
from shared.messaging.kafka.membership import Membership, NameTaken
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.telemetry import logger

UNKNOWN_MEMBER_ID = ""
DRAIN_SECONDS = 20.0


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Drains records in flight before partitions are revoked. Never raises an Exception: aiokafka would swallow it."""

    def __init__(self, group: str, consumer: AIOKafkaConsumer, member: str | None) -> None:
        self._group = group
        self._consumer = consumer
        self.membership = Membership(group, member)
        self.drain: Callable[[], Awaitable[None]] | None = None
        self.name_taken: NameTaken | None = None
        self.polling: asyncio.Task[Any] | None = None

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        if not self.membership.joined:
            return
        if self._consumer._coordinator.member_id == UNKNOWN_MEMBER_ID:  # aiokafka offers no public way to ask
            self._end_if_name_is_taken()
        else:
            self.membership.revoked()
        if self.drain is None or not revoked:
            return
        try:
            await with_timeout(self.drain(), DRAIN_SECONDS)
        except TimeoutError:
            logger.warning(
                "records in flight were dropped at a rebalance; they are delivered again",
                group=self._group,
                after_seconds=DRAIN_SECONDS,
            )

    def _end_if_name_is_taken(self) -> None:
        """End aiokafka's coordination, in whose task this runs, before it joins again, and the poll that waits for it.
        Raises CancelledError."""
        self.name_taken = self.membership.thrown_out()
        logger.warning("thrown out of the group", group=self._group, name_taken=self.name_taken is not None)
        if self.name_taken is not None:
            if self.polling is not None:
                self.polling.cancel()
            raise asyncio.CancelledError

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self.membership.assigned()
        logger.info("assigned", group=self._group, partitions=sorted(f"{tp.topic}[{tp.partition}]" for tp in assigned))


class KafkaGroup:
    """One member of a consumer group."""

    def __init__(
        self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, group: str, listener: _Rebalance
    ) -> None:
        self._consumer = consumer
        self._admin = admin
        self._group = group
        self._listener = listener

    @classmethod
    @asynccontextmanager
    async def open(
        cls, connection: KafkaConnection, group: str, topics: Sequence[str], member: str | None
    ) -> AsyncIterator["KafkaGroup"]:
        """Join as soon as Kafka answers and has the topics."""
        make = partial(
            AIOKafkaConsumer,
            group_id=group,
            group_instance_id=member,
            session_timeout_ms=SCALED_REPLICA_SESSION_MS if member is None else FIXED_REPLICA_SESSION_MS,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            **CONSUMER,
        )
        what = f"group {group}"
        consumer = await start_with_retry(connection, make, what)
        try:
            await wait_for_topics(consumer, frozenset(topics), what)
            admin = AIOKafkaAdminClient(**connection.client_settings)
            listener = _Rebalance(group, consumer, member)
            consumer.subscribe(topics=list(topics), listener=listener)
            try:
                yield cls(consumer, admin, group, listener)
            finally:
                listener.drain = None
                await with_timeout(admin.close())
        finally:
            await stop_within(consumer, what)

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """See GroupConsumer. No other task runs between the client's delivery and this return, so no record is accepted
        after its partition was revoked."""
        task = asyncio.current_task()
        if self._listener.name_taken is not None:
            raise self._listener.name_taken
        self._listener.polling = task
        try:
            with kafka_errors("deliver"):
                found = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
        except asyncio.CancelledError:
            if self._listener.name_taken is not None and task is not None and not task.uncancel():
                raise self._listener.name_taken from None
            raise
        finally:
            self._listener.polling = None
        return [to_record(message) for messages in found.values() for message in messages]

    async def commit(self, positions: Mapping[TopicPartition, int], metadata: str = "") -> None:
        """See GroupConsumer. Bounded, since aiokafka blocks as long as the broker is away."""
        offsets = {to_kafka(partition): (offset, metadata) for partition, offset in positions.items()}
        if not offsets:
            return
        with kafka_errors("commit offsets"):
            try:
                await with_timeout(self._consumer.commit(offsets))
            except (CommitFailedError, IllegalStateError) as error:
                logger.info("a rebalance made a commit void; redelivery follows", group=self._group, reason=str(error))

    async def committed_offsets(self) -> Mapping[TopicPartition, tuple[int, str]]:
        """See GroupConsumer."""
        with kafka_errors("list committed offsets"):
            await with_timeout(self._admin.start())
            found = await with_timeout(self._admin.list_consumer_group_offsets(self._group))
        assigned = self._consumer.assignment()
        return {
            TopicPartition(partition.topic, partition.partition): (stored.offset, stored.metadata or "")
            for partition, stored in found.items()
            if partition in assigned and stored.offset >= 0
        }

    async def skipped_offsets(self) -> Mapping[TopicPartition, int]:
        """See GroupConsumer."""
        with kafka_errors("list committed offsets"):
            await with_timeout(self._admin.start())
            found = await with_timeout(self._admin.list_consumer_group_offsets(skipped_group(self._group)))
        return {
            TopicPartition(partition.topic, partition.partition): stored.offset for partition, stored in found.items()
        }

    def on_revoke(self, drain: Callable[[], Awaitable[None]]) -> None:
        """See GroupConsumer."""
        self._listener.drain = drain

    def on_membership(self, report: ReportMembership) -> None:
        """See GroupConsumer."""
        self._listener.membership.report_to(report)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """See GroupConsumer."""
        self._consumer.pause(*self._assigned(partitions))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """See GroupConsumer."""
        self._consumer.resume(*self._assigned(partitions))

    def _assigned(self, partitions: Sequence[TopicPartition]) -> list[Any]:
        assigned = self._consumer.assignment()
        return [partition for partition in map(to_kafka, partitions) if partition in assigned]
