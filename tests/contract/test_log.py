"""The contract of every log, checked on the log in memory and on Kafka."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event, ImageRegistered
from shared.contract.topics import dead_letter_topic
from shared.messaging.codec import decode
from shared.messaging.dead_letters import make_dead_letter
from shared.messaging.event_log import EventLog, GroupConsumer, LogReader, Record, TopicPartition
from shared.runtime.errors import InvalidMessage, LogReplaced
from shared.runtime.tracing import tracer
from shared.testing import eventually, image_registered, training_requested

TOPIC = ImageRegistered.topic


async def publish(event_log: EventLog, *events: Event) -> Sequence[Record]:
    async with event_log.publisher("pappus/jobs") as publisher:
        return await publisher.publish(events)


async def take(source: GroupConsumer | LogReader, count: int) -> list[Record]:
    """Poll until `count` records have come; gives all that came."""
    taken: list[Record] = []

    async def enough() -> bool:
        taken.extend(await source.poll(0.2))
        return len(taken) >= count

    await eventually(enough)
    return taken


def ids(records: Sequence[Record]) -> list[UUID]:
    return [decode(record.topic, record.value).event_id for record in records]


async def test_a_member_says_that_it_has_its_place(event_log: EventLog) -> None:
    reports: list[bool] = []
    async with event_log.group("placed", [TOPIC]) as group:
        group.on_membership(lambda ok, _: reports.append(ok))

        async def placed() -> bool:
            await group.poll(0.1)
            return bool(reports) and reports[-1]

        await eventually(placed)


async def test_no_offset_is_skipped_until_a_person_says_so(event_log: EventLog) -> None:
    async with event_log.group("skipping", [TOPIC]) as group:
        assert not await group.skipped_offsets()


class TestPublisher:
    async def test_says_where_each_event_stands(self, event_log: EventLog) -> None:
        events = [training_requested() for _ in range(3)]
        records = await publish(event_log, *events)
        assert [record.offset for record in records] == [0, 1, 2]
        assert ids(records) == [event.event_id for event in events]

    async def test_keeps_the_order_of_one_key(self, event_log: EventLog) -> None:
        image_id = image_registered().image_id
        events = [image_registered(image_id=image_id, attempt=attempt) for attempt in range(1, 30)]
        await publish(event_log, *events)
        async with event_log.reader([TOPIC]) as reader:
            await reader.start_at({})
            records = await take(reader, len(events))
        assert ids(records) == [event.event_id for event in events]
        assert len({record.topic_partition for record in records}) == 1
        assert {record.key for record in records} == {str(image_id)}

    async def test_spreads_keys_over_all_partitions(self, event_log: EventLog) -> None:
        records = await publish(event_log, *(image_registered() for _ in range(60)))
        assert {record.partition for record in records} == {0, 1, 2, 3}

    async def test_does_nothing_for_no_events(self, event_log: EventLog) -> None:
        assert list(await publish(event_log)) == []

    async def test_puts_the_trace_into_the_headers(self, event_log: EventLog, tracing: None) -> None:
        with tracer().start_as_current_span("outer") as span:
            await publish(event_log, training_requested())
        async with event_log.reader(["training.requested"]) as reader:
            await reader.start_at({})
            [record] = await take(reader, 1)
        assert f"{span.get_span_context().trace_id:032x}" in dict(record.headers)["traceparent"].decode()

    async def test_writes_a_dead_letter_that_can_be_read(self, event_log: EventLog) -> None:
        broken = Record(TOPIC, 2, 17, "a key", b"\xff not text")
        dead_letter = make_dead_letter(broken, InvalidMessage("unreadable"), handler="test", attempts=3)
        async with event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish_dead_letter(dead_letter)
        async with event_log.reader([dead_letter_topic(TOPIC)]) as reader:
            await reader.start_at({})
            [record] = await take(reader, 1)
        assert record.value is not None
        assert DeadLetter.model_validate_json(record.value) == dead_letter
        assert record.key == "a key"


class TestReader:
    async def test_starts_where_it_is_told_and_elsewhere_at_the_beginning(self, event_log: EventLog) -> None:
        records = await publish(event_log, *(image_registered() for _ in range(40)))
        place = records[0].topic_partition
        async with event_log.reader([TOPIC]) as reader:
            await reader.start_at({place: 2})
            found = await take(reader, 38)
        expected = [record for record in records if record.topic_partition != place or record.offset >= 2]
        assert sorted(ids(found)) == sorted(ids(expected))

    async def test_goes_on_with_what_comes_later(self, event_log: EventLog) -> None:
        async with event_log.reader([TOPIC]) as reader:
            await reader.start_at({})
            assert not await reader.poll(0.05)
            [record] = await publish(event_log, image_registered())
            assert ids(await take(reader, 1)) == ids([record])

    async def test_knows_all_partitions_and_their_offsets(self, event_log: EventLog) -> None:
        records = await publish(event_log, *(image_registered() for _ in range(20)))
        async with event_log.reader([TOPIC, "training.requested"]) as reader:
            places = await reader.partitions()
            assert sorted(places) == [
                *(TopicPartition(TOPIC, number) for number in range(4)),
                TopicPartition("training.requested", 0),
            ]
            ends = {place: sum(record.topic_partition == place for record in records) for place in places}
            assert await reader.end_offsets() == ends
            assert await reader.beginning_offsets() == dict.fromkeys(places, 0)
        assert await event_log.end_offsets([TOPIC]) == {
            place: end for place, end in ends.items() if place.topic == TOPIC
        }

    async def test_measures_end_offsets_anew_while_a_poll_waits(self, event_log: EventLog) -> None:
        async with event_log.reader([TOPIC]) as reader:
            await reader.start_at({})
            waiting = asyncio.create_task(reader.poll(5.0))
            [record] = await publish(event_log, image_registered())
            assert (await reader.end_offsets())[record.topic_partition] == 1
            await waiting

    async def test_gives_a_single_record(self, event_log: EventLog) -> None:
        records = await publish(event_log, *(training_requested() for _ in range(3)))
        async with event_log.reader(["training.requested"]) as reader:
            await reader.start_at({})
            found = await reader.record_at(records[1].topic_partition, 1)
            assert found is not None
            assert ids([found]) == ids([records[1]])
            assert await reader.record_at(records[1].topic_partition, 3) is None
            assert len(await take(reader, 3)) == 3

    async def test_says_that_the_log_was_replaced_when_it_is_too_short(self, event_log: EventLog) -> None:
        await publish(event_log, training_requested())
        async with event_log.reader(["training.requested"]) as reader:
            await reader.start_at({TopicPartition("training.requested", 0): 5})
            with pytest.raises(LogReplaced, match="pappus replay"):
                await take(reader, 1)


class TestGroup:
    async def test_starts_at_the_beginning_and_then_where_it_committed(self, event_log: EventLog) -> None:
        events = [training_requested() for _ in range(4)]
        await publish(event_log, *events)
        async with event_log.group("first", ["training.requested"]) as consumer:
            records = await take(consumer, 4)
            assert ids(records) == [event.event_id for event in events]
            await consumer.commit({records[0].topic_partition: 2})
        async with event_log.group("first", ["training.requested"]) as consumer:
            assert ids(await take(consumer, 2)) == [event.event_id for event in events[2:]]

    async def test_gives_again_what_was_not_committed(self, event_log: EventLog) -> None:
        await publish(event_log, training_requested(), training_requested())
        for _ in range(2):
            async with event_log.group("again", ["training.requested"]) as consumer:
                assert len(await take(consumer, 2)) == 2

    async def test_gives_at_most_as_many_records_as_asked_for(self, event_log: EventLog) -> None:
        await publish(event_log, *(training_requested() for _ in range(5)))
        async with event_log.group("few", ["training.requested"]) as consumer:
            sizes: list[int] = []

            async def all_came() -> bool:
                sizes.append(len(await consumer.poll(0.2, max_records=2)))
                return sum(sizes) == 5

            await eventually(all_came)
        assert max(sizes) == 2

    async def test_keeps_the_note_of_a_commit(self, event_log: EventLog) -> None:
        await publish(event_log, *(training_requested() for _ in range(3)))
        place = TopicPartition("training.requested", 0)
        async with event_log.group("notes", ["training.requested"]) as consumer:
            await take(consumer, 3)
            assert await consumer.committed_offsets() == {}
            await consumer.commit({place: 1}, '{"failures": 2}')
            assert await consumer.committed_offsets() == {place: (1, '{"failures": 2}')}
        async with event_log.group("notes", ["training.requested"]) as consumer:
            await take(consumer, 2)
            assert await consumer.committed_offsets() == {place: (1, '{"failures": 2}')}
            await consumer.commit({place: 3})
            assert await consumer.committed_offsets() == {place: (3, "")}

    async def test_delivers_nothing_from_a_paused_partition(self, event_log: EventLog) -> None:
        place = TopicPartition("training.requested", 0)
        await publish(event_log, training_requested())
        async with event_log.group("pauses", ["training.requested"]) as consumer:
            await take(consumer, 1)
            consumer.pause([place])
            await publish(event_log, training_requested())
            assert not await consumer.poll(0.3)
            consumer.resume([place])
            assert len(await take(consumer, 1)) == 1

    async def test_members_share_the_partitions_and_the_one_that_stays_gets_all(self, event_log: EventLog) -> None:
        drained = asyncio.Event()
        alone: list[Record] = []
        other: list[Record] = []

        async def drain() -> None:
            drained.set()

        async with event_log.group("shared", [TOPIC]) as stays:
            stays.on_revoke(drain)
            await publish(event_log, *(image_registered() for _ in range(20)))
            first = await take(stays, 20)
            await stays.commit({record.topic_partition: record.offset + 1 for record in first})
            polling = asyncio.create_task(_poll_until_cancelled(stays, alone))
            async with event_log.group("shared", [TOPIC]) as leaves:
                leaving = asyncio.create_task(_poll_until_cancelled(leaves, other))
                await eventually(drained.is_set)

                async def both() -> bool:
                    await publish(event_log, *(image_registered() for _ in range(10)))
                    return bool(alone) and bool(other)

                await eventually(both)
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
            seen = len(alone)
            records = await publish(event_log, *(image_registered() for _ in range(20)))
            wanted = set(ids(records))
            await eventually(lambda: wanted <= set(ids(alone[seen:])))
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    async def test_ignores_a_commit_for_a_partition_it_has_lost(self, event_log: EventLog) -> None:
        await publish(event_log, training_requested())
        place = TopicPartition("training.requested", 0)
        async with event_log.group("lost", ["training.requested"]) as consumer:
            await take(consumer, 1)
            await consumer.commit({TopicPartition("image.stored", 0): 1})
            assert place not in await consumer.committed_offsets()


async def _poll_until_cancelled(consumer: GroupConsumer, into: list[Record]) -> None:
    while True:
        into.extend(await consumer.poll(0.2))
