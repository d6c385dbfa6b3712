"""Reading whole topics without a group, from positions the caller chooses."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError  # type: ignore[import-untyped]

from shared.messaging.event_log import Record, TopicPartition
from shared.messaging.kafka.client import (
    ANSWER_SECONDS,
    READER,
    kafka_errors,
    open_admin,
    start_with_retry,
    stop_within,
    to_kafka,
    to_record,
    wait_for_topics,
    with_timeout,
)
from shared.messaging.kafka.unreadable import unreadable
from shared.runtime.errors import CorruptRecord, LogReplaced, NotReady
from shared.runtime.kafka_connection import KafkaConnection

ANY_RECORD = "*"
"""Among the lost records: go past every damaged one. For people who look at the log; tables name each."""


class Probe:
    """Answers questions about offsets on a separate client: on the polling client they would wait behind the long poll
    (+330 ms). Connects at the first question."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._client: AIOKafkaConsumer | None = None
        self._one_at_a_time = asyncio.Lock()
        self._partitions: dict[str, list[TopicPartition]] = {}

    async def close(self) -> None:
        """Stop the client, if there is one."""
        if self._client is not None:
            await stop_within(self._client, "probe")

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Return all partitions of the topics. Asked once for each topic, since partition counts never change."""
        new = [topic for topic in topics if topic not in self._partitions]
        if new:
            async with open_admin(self._connection) as admin:
                with kafka_errors("name the partitions"):
                    described = await with_timeout(admin.describe_topics(new))
            for entry in described:
                if entry["error_code"] != 0:
                    raise NotReady(f"Topic {entry['topic']} does not exist yet. `pappus up` creates it.")
                numbers = sorted(part["partition"] for part in entry["partitions"])
                self._partitions[entry["topic"]] = [TopicPartition(entry["topic"], number) for number in numbers]
        return [partition for topic in topics for partition in self._partitions[topic]]

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset of each partition that still exists."""
        client = await self._started()
        with kafka_errors("list the first offsets"):
            found = await with_timeout(client.beginning_offsets([to_kafka(partition) for partition in partitions]))
        return {TopicPartition(partition.topic, partition.partition): offset for partition, offset in found.items()}

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset of the next record of each partition."""
        client = await self._started()
        with kafka_errors("list the end offsets"):
            found = await with_timeout(client.end_offsets([to_kafka(partition) for partition in partitions]))
        return {TopicPartition(partition.topic, partition.partition): offset for partition, offset in found.items()}

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        """Return the record at this offset; None if it expired or does not exist yet."""
        if (
            not (await self.beginning_offsets([partition]))[partition]
            <= offset
            < (await self.end_offsets([partition]))[partition]
        ):
            return None
        client = await self._started()
        async with self._one_at_a_time:
            with kafka_errors(f"give {partition.topic}[{partition.partition}]@{offset}"):
                client.assign([to_kafka(partition)])
                client.seek(to_kafka(partition), offset)
                message = await with_timeout(client.getone())
                client.unsubscribe()
        record = to_record(message)
        if record.unreadable is not None:  # a range of offsets is named by its last, which may be known only now
            return replace(record, offset=offset)
        return record if record.offset == offset else None

    async def _started(self) -> AIOKafkaConsumer:
        async with self._one_at_a_time:
            if self._client is None:
                with kafka_errors("answer"):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        self._client = await start_with_retry(
                            self._connection, partial(AIOKafkaConsumer, **READER), "probe"
                        )
        return self._client


class KafkaReader:
    """All partitions of some topics, read by one client; questions go through a probe."""

    def __init__(
        self, consumer: AIOKafkaConsumer, probe: Probe, topics: Sequence[str], lost_records: frozenset[str]
    ) -> None:
        self._consumer = consumer
        self._probe = probe
        self._topics = tuple(topics)
        self._lost_records = lost_records
        self._damaged: CorruptRecord | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, connection: KafkaConnection, topics: Sequence[str], lost_records: frozenset[str] = frozenset()
    ) -> AsyncIterator["KafkaReader"]:
        """Open as soon as Kafka answers and has the topics. `lost_records` ("topic[partition]@offset") are passed over
        although they are damaged."""
        what = f"reader of {', '.join(topics)}"
        consumer = await start_with_retry(connection, partial(AIOKafkaConsumer, **READER), what)
        probe = Probe(connection)
        try:
            await wait_for_topics(consumer, frozenset(topics), what)
            yield cls(consumer, probe, topics, lost_records)
        finally:
            await probe.close()
            await stop_within(consumer, what)

    async def partitions(self) -> Sequence[TopicPartition]:
        """See LogReader."""
        return await self._probe.partitions(self._topics)

    async def start_at(self, positions: Mapping[TopicPartition, int]) -> None:
        """See LogReader."""
        partitions = await self.partitions()
        beginnings = await self.beginning_offsets()
        self._consumer.assign([to_kafka(partition) for partition in partitions])
        for partition in partitions:
            self._consumer.seek(to_kafka(partition), positions.get(partition, beginnings[partition]))

    async def poll(self, timeout_seconds: float, max_records: int = 500) -> Sequence[Record]:
        """See LogReader."""
        if self._damaged is not None:
            raise self._damaged
        with kafka_errors("deliver"):
            try:
                found = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                raise LogReplaced(
                    f"The log was replaced: there is no record where reading should continue ({error!r})."
                    " Run `pappus replay`."
                ) from error
        records = [to_record(message) for messages in found.values() for message in self._undamaged(messages)]
        if self._damaged is not None and not records:
            raise self._damaged
        return records

    def _undamaged(self, messages: Sequence[Any]) -> Iterator[Any]:
        """Yield the records of one partition up to one whose bytes are damaged; what stands behind it must not be
        folded without it."""
        for message in messages:
            place = f"{message.topic}[{message.partition}]@{message.offset}"
            found = unreadable(message.headers)
            if found and found.damaged and not {place, ANY_RECORD} & self._lost_records:
                self._damaged = CorruptRecord(
                    f"{found.reason} The broker's disk or memory has lost it. Restore the log from a replica or a"
                    f""" backup; or, to go on without it, set PAPPUS_LOST_RECORDS='["{place}"]' for every service."""
                )
                return
            yield message

    async def beginning_offsets(self) -> Mapping[TopicPartition, int]:
        """See LogReader."""
        return await self._probe.beginning_offsets(await self.partitions())

    async def end_offsets(self) -> Mapping[TopicPartition, int]:
        """See LogReader."""
        return await self._probe.end_offsets(await self.partitions())

    async def record_at(self, partition: TopicPartition, offset: int) -> Record | None:
        """See LogReader."""
        return await self._probe.record_at(partition, offset)
