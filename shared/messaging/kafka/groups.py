"""How consumer groups do: who is in them, and what waits for them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]

from shared.messaging.event_log import TopicPartition
from shared.messaging.kafka.client import kafka_errors, open_admin, with_timeout
from shared.messaging.kafka.reader import Probe
from shared.runtime.kafka_connection import KafkaConnection


@dataclass(frozen=True, slots=True)
class GroupState:
    """How many members a group has now (0: it does not run), and how many records wait for it."""

    members: int
    waiting: int


async def group_states(connection: KafkaConnection, groups: Mapping[str, Sequence[str]]) -> Mapping[str, GroupState]:
    """Return the state of each of these groups, given with the topics that it reads. Where a group has committed
    nothing, all that is there waits. Raises TransientError."""
    async with open_admin(connection) as admin:
        with kafka_errors("describe the groups"):
            found = await with_timeout(asyncio.gather(*(_describe(admin, group) for group in groups)))
    members = {group: number for group, (number, _) in zip(groups, found, strict=True)}
    committed = {group: offsets for group, (_, offsets) in zip(groups, found, strict=True)}
    probe = Probe(connection)
    try:
        partitions = await probe.partitions(sorted({topic for topics in groups.values() for topic in topics}))
        beginnings, ends = await probe.beginning_offsets(partitions), await probe.end_offsets(partitions)
    finally:
        await probe.close()
    return {
        group: GroupState(
            members[group],
            sum(
                ends[place] - min(ends[place], max(committed[group].get(place, 0), beginnings[place]))
                for place in partitions
                if place.topic in topics
            ),
        )
        for group, topics in groups.items()
    }


async def _describe(admin: AIOKafkaAdminClient, group: str) -> tuple[int, dict[TopicPartition, int]]:
    """Return how many members a group has, and its committed offsets. One group is asked for at a time: aiokafka 0.14
    reads the answer about the second one from the wrong byte (it takes version 3 of DescribeGroups for version 2)."""
    [answer] = await admin.describe_consumer_groups([group])
    committed = await admin.list_consumer_group_offsets(group)
    offsets = {TopicPartition(place.topic, place.partition): stored.offset for place, stored in committed.items()}
    return sum(len(entry[5]) for entry in answer.groups), offsets
