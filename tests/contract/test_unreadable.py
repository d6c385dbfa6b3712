"""Records that cannot be read below the decoder, on the real broker: packed, damaged, oversized, malformed."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event, ImageRegistered, TrainingRequested
from shared.contract.topics import dead_letter_topic
from shared.messaging.codec import encode
from shared.messaging.event_log import EventLog
from shared.messaging.handler import run_handlers, subscribe
from shared.messaging.kafka import open_event_log
from shared.messaging.kafka.unreadable import LARGEST_BATCH_BYTES
from shared.runtime.errors import CorruptRecord
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.projection import Projection, Transaction, on_event, wait_until_caught_up
from shared.testing import eventually, image_registered, read_all, training_requested
from tests.topics import empty_topics

CODECS = ("gzip", "lz4", "snappy", "zstd")


@pytest.fixture(scope="module", autouse=True)
def nothing_damaged_is_left(servers: Servers) -> Iterator[None]:
    """Empty the topics after the last test: tests that use this broker later read them from the start."""
    yield
    asyncio.run(empty_topics(servers))


@asynccontextmanager
async def producer(servers: Servers, **settings: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that is not ours."""
    opened = AIOKafkaProducer(bootstrap_servers=servers.kafka_bootstrap, **settings)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


@asynccontextmanager
async def handling(event_log: EventLog, event: type[Event]) -> AsyncIterator[list[UUID]]:
    """Run a handler of this event; yield the ids it has handled."""
    handled: list[UUID] = []

    async def on_event_of_any_type(found: Event) -> Sequence[Event]:
        handled.append(found.event_id)
        return []

    task = asyncio.create_task(
        run_handlers(
            event_log,
            group="unreadable",
            source="pappus/jobs",
            subscriptions=[subscribe(event, on_event_of_any_type)],
            health=Health(),
        )
    )
    try:
        yield handled
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def dead_letters(event_log: EventLog, topic: str) -> list[DeadLetter]:
    found = await read_all(event_log, [dead_letter_topic(topic)])
    return [DeadLetter.model_validate_json(record.value or b"") for record in found]


def change(servers: Servers, old: bytes, new: bytes, *, with_checksum: bool) -> None:
    """Write other bytes over the first `old` in the log of training.requested on the broker's disk."""
    [segment] = Path(servers.stack.state.root, "kafka", "data", "training.requested-0").glob("*.log")
    content = bytearray(segment.read_bytes())
    place = content.index(old)
    content[place : place + len(old)] = new
    if with_checksum:  # of a batch in format 2: at byte 17, over everything behind it
        start = end = 0
        while end <= place:
            start, end = end, end + 12 + int.from_bytes(content[end + 8 : end + 12])
        content[start + 17 : start + 21] = calc_crc32c(bytes(content[start + 21 : end])).to_bytes(4)
    with segment.open("r+b") as file:
        file.write(content)


def damage(servers: Servers, text: bytes) -> None:
    """Damage the batch that holds `text`."""
    change(servers, text, text[:-1] + b"?", with_checksum=False)


@pytest.mark.parametrize("codec", CODECS)
async def test_every_codec_of_kafka_is_read(servers: Servers, kafka: EventLog, codec: str) -> None:
    event = image_registered(source="x" * 3000)
    async with producer(servers, compression_type=codec) as foreign:
        await foreign.send_and_wait(ImageRegistered.topic, b'{"no": "event"}' + b" " * 3000, partition=0)
        await foreign.send_and_wait(ImageRegistered.topic, encode(event, "pappus/jobs"), partition=0)
    async with handling(kafka, ImageRegistered) as handled:
        await eventually(lambda: handled == [event.event_id])
    [dead_letter] = await dead_letters(kafka, ImageRegistered.topic)
    assert "CloudEvent" in dead_letter.detail


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
async def test_a_batch_that_unpacks_without_end_is_a_dead_letter(servers: Servers, kafka: EventLog, codec: str) -> None:
    after = training_requested()
    async with producer(servers, compression_type=codec, max_request_size=10 * LARGEST_BATCH_BYTES) as foreign:
        await foreign.send_and_wait(TrainingRequested.topic, bytes(LARGEST_BATCH_BYTES + 1))
        await foreign.send_and_wait(TrainingRequested.topic, encode(after, "pappus/jobs"))
    async with handling(kafka, TrainingRequested) as handled:
        await eventually(lambda: handled == [after.event_id])
    [dead_letter] = await dead_letters(kafka, TrainingRequested.topic)
    assert (dead_letter.offset, dead_letter.value) == (0, None)
    assert str(LARGEST_BATCH_BYTES) in dead_letter.detail


async def test_a_record_whose_header_has_no_name_is_a_dead_letter(servers: Servers, kafka: EventLog) -> None:
    after = training_requested()
    async with producer(servers) as foreign:
        await foreign.send_and_wait(TrainingRequested.topic, b"{}", headers=[("no name", b"value")])
        await foreign.send_and_wait(TrainingRequested.topic, encode(after, "pappus/jobs"))
    change(servers, b"no name", b"\xff\xfe name", with_checksum=True)
    async with handling(kafka, TrainingRequested) as handled:
        await eventually(lambda: handled == [after.event_id])
    [dead_letter] = await dead_letters(kafka, TrainingRequested.topic)
    assert (dead_letter.offset, dead_letter.value) == (0, None)
    assert "training.requested[0]" in dead_letter.detail


async def test_a_handler_goes_past_a_damaged_batch_with_a_dead_letter(servers: Servers, kafka: EventLog) -> None:
    events = [training_requested(detail=f"request {number}") for number in range(4)]
    async with kafka.publisher("pappus/jobs") as publisher:
        await publisher.publish(events[:1])
        await publisher.publish(events[1:3])  # one batch
        await publisher.publish(events[3:])
    damage(servers, b"request 1")
    async with handling(kafka, TrainingRequested) as handled:
        await eventually(lambda: handled == [events[0].event_id, events[3].event_id])
        await eventually(lambda: dead_letters(kafka, TrainingRequested.topic))
    [dead_letter] = await dead_letters(kafka, TrainingRequested.topic)
    assert (dead_letter.offset, dead_letter.value) == (2, None)
    assert "offsets 1 to 2 of training.requested[0]" in dead_letter.detail
    assert "checksum" in dead_letter.detail


async def test_tables_stop_at_a_damaged_record_until_told_to_go_on(
    servers: Servers, kafka: EventLog, database: Database
) -> None:
    events = [training_requested(detail=f"request {number}") for number in range(3)]
    async with kafka.publisher("pappus/jobs") as publisher:
        for event in events:
            await publisher.publish([event])
    damage(servers, b"request 1")
    folded: list[UUID] = []

    async def apply_training_requested(event: TrainingRequested, _: Transaction) -> None:
        folded.append(event.event_id)

    projectors = [on_event(TrainingRequested, apply_training_requested)]
    with pytest.raises(CorruptRecord, match=r"""PAPPUS_LOST_RECORDS='\["training.requested\[0\]@1"\]'"""):
        await Projection(kafka, database, projectors, Health()).run()
    assert folded == [events[0].event_id]
    async with open_event_log(servers.kafka, ["training.requested[0]@1"]) as told:
        task = asyncio.create_task(Projection(told, database, projectors, Health()).run())
        await wait_until_caught_up(kafka, database, [TrainingRequested.topic], 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert folded == [events[0].event_id, events[2].event_id]
        task = asyncio.create_task(Projection(told, database, projectors, health := Health()).run())
        await eventually(lambda: health.ready)  # the position behind the last record is found again
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    [dead_letter] = await dead_letters(kafka, TrainingRequested.topic)
    assert dead_letter.offset == 1
