"""How consumer groups do, asked of a real broker."""

from contextlib import suppress

from pappus.stack import Servers
from shared.contract.events import ImageRegistered
from shared.messaging.kafka import GroupState, create_topics, group_states, open_event_log
from shared.runtime.errors import TransientError
from shared.testing import eventually, image_registered

TOPIC = ImageRegistered.topic


async def test_a_group_says_how_many_are_in_it_and_what_waits_for_them(servers: Servers) -> None:
    await create_topics(servers.kafka)

    async def state() -> GroupState:
        return (await group_states(servers.kafka, {"watched": [TOPIC], "other": []}))["watched"]

    async def known() -> GroupState | None:
        with suppress(TransientError):  # a new broker has no coordinator of groups yet
            return await state()
        return None

    async def left() -> GroupState | None:
        found = await state()
        return None if found.members else found

    async with open_event_log(servers.kafka) as event_log:
        async with event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([image_registered() for _ in range(5)])
        before = await eventually(known)
        async with event_log.group("watched", [TOPIC]) as member:
            ends: dict[object, int] = {}
            while (await state()).waiting:
                records = await member.poll(1.0)
                ends |= {record.topic_partition: record.offset + 1 for record in records}
                await member.commit({record.topic_partition: record.offset + 1 for record in records})
            within = await state()
        after = await eventually(left)

    assert before is not None
    assert before.members == 0
    assert before.waiting >= 5
    assert (within.members, within.waiting) == (1, 0)
    assert after == GroupState(0, 0)
