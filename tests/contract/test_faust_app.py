"""Faust on the real broker: the habits that keep it from losing events. Run this when faust or aiokafka is upgraded."""

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]
from faust.transport.consumer import Consumer
from prometheus_client import REGISTRY

from pappus.stack import Servers
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event, ImageStored
from shared.contract.topics import TRIGGER_APP, TRIGGER_TICKS, dead_letter_topic
from shared.faust_app import FaustApp
from shared.messaging.codec import encode
from shared.messaging.event_log import EventLog, Publisher, Record
from shared.messaging.kafka import group_lag
from shared.messaging.kafka.unreadable import LARGEST_BATCH_BYTES
from shared.runtime.errors import InvalidMessage, TransientError
from shared.runtime.health import Health
from shared.runtime.kafka_connection import KafkaConnection
from shared.testing import eventually, image_stored

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # faust's own, under Python 3.11
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Counting:
    """A body that keeps each event in a table, as the trigger does."""

    def __init__(self, app: FaustApp) -> None:
        self.table: MutableMapping[str, Any] = app.table("images", 4)
        self.seen: list[Record] = []
        app.on(ImageStored, self.on_image_stored)

    async def on_image_stored(self, event: ImageStored, record: Record) -> None:
        self.seen.append(record)
        if event.registered_by == "unreadable":
            raise InvalidMessage("this cannot be read")
        if event.registered_by == "bug":
            raise KeyError("a bug")
        self.table[str(event.image_id)] = {"event_id": str(event.event_id), "offset": record.offset}


@asynccontextmanager
async def running(
    servers: Servers, publisher: Publisher, folder: Path, declare: Callable[[FaustApp], Any]
) -> AsyncIterator[tuple[Any, Health]]:
    app, health = FaustApp(TRIGGER_APP, servers.kafka, folder=folder, publisher=publisher), Health()
    declared = declare(app)
    task = asyncio.create_task(app.run(health))
    try:
        await eventually(lambda: health.ready or task.done(), 60)
        yield declared, health
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read_dead_letters(event_log: EventLog, count: int) -> list[DeadLetter]:
    dead_letters: list[DeadLetter] = []
    async with event_log.reader([dead_letter_topic(ImageStored.topic)]) as reader:
        await reader.start_at({})

        async def enough() -> bool:
            dead_letters.extend(
                DeadLetter.model_validate_json(record.value or b"") for record in await reader.poll(0.5)
            )
            return len(dead_letters) >= count

        await eventually(enough, 60)
    return dead_letters


async def publish(publisher: Publisher, *events: Event) -> None:
    await publisher.publish(events)


async def test_a_table_survives_a_restart_and_every_event_is_counted(
    servers: Servers, kafka: EventLog, tmp_path: Path
) -> None:
    events = [image_stored() for _ in range(30)]
    async with kafka.publisher("pappus/jobs") as publisher:
        await publish(publisher, *events[:20])
        async with running(servers, publisher, tmp_path / "one", Counting) as (counting, _):
            await eventually(lambda: len(counting.table) == 20, 60)

            async def something_committed() -> bool:
                lag = await group_lag(servers.kafka, TRIGGER_APP, [ImageStored.topic])
                return sum(behind for partition, behind in lag.items() if partition.topic == ImageStored.topic) < 20

            await eventually(something_committed, 60)
        await publish(publisher, *events[20:])
        async with running(servers, publisher, tmp_path / "two", Counting) as (counting, _):
            await eventually(lambda: len(counting.table) == 30, 60)
            assert {row["event_id"] for row in counting.table.values()} == {str(event.event_id) for event in events}
            assert len(counting.seen) < 30, "what was committed is not taken again"


@asynccontextmanager
async def relay(port: int, address: str) -> AsyncIterator[None]:
    """Pass on what comes to `port` to another address, as long as the context is open."""
    host, _, other = address.rpartition(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, int(other))
        await asyncio.gather(copy(reader, there_writer), copy(there_reader, writer), return_exceptions=True)

    async with await asyncio.start_server(connect, "127.0.0.1", port):
        yield


async def test_a_broker_that_is_away_at_the_start_is_waited_for(
    servers: Servers, kafka: EventLog, tmp_path: Path, unused_port: int
) -> None:
    elsewhere = replace(servers.kafka, bootstrap=f"127.0.0.1:{unused_port}")
    async with kafka.publisher("pappus/jobs") as publisher:
        app, health = FaustApp(TRIGGER_APP, elsewhere, folder=tmp_path, publisher=publisher), Health()
        Counting(app)
        task = asyncio.create_task(app.run(health))
        try:
            await eventually(lambda: health.state(TRIGGER_APP) is not None, 20)
            assert not health.ready
            assert not task.done()
            async with relay(unused_port, servers.kafka.bootstrap):
                await eventually(lambda: health.ready or task.done(), 60)
                assert health.ready
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_invalid_event_becomes_a_dead_letter_and_the_agent_goes_on(
    servers: Servers, kafka: EventLog, tmp_path: Path
) -> None:
    bad, buggy, good = image_stored(registered_by="unreadable"), image_stored(registered_by="bug"), image_stored()
    async with kafka.publisher("pappus/jobs") as publisher:
        await publish(publisher, bad, buggy, good)
        async with running(servers, publisher, tmp_path, Counting) as (counting, health):
            await eventually(lambda: str(good.image_id) in counting.table, 60)
            dead_letters = await read_dead_letters(kafka, 2)
            assert health.ready
    assert {(dead_letter.key, dead_letter.error, dead_letter.attempts) for dead_letter in dead_letters} == {
        (bad.key, "InvalidMessage", 1),
        (buggy.key, "KeyError", 4),
    }


async def test_what_cannot_be_read_is_a_dead_letter_here_too(servers: Servers, kafka: EventLog, tmp_path: Path) -> None:
    good = image_stored()
    producer = AIOKafkaProducer(
        bootstrap_servers=servers.kafka_bootstrap, compression_type="zstd", max_request_size=2 * LARGEST_BATCH_BYTES
    )
    await producer.start()
    await producer.send_and_wait(ImageStored.topic, bytes(LARGEST_BATCH_BYTES + 1), partition=0)
    await producer.send_and_wait(ImageStored.topic, encode(good, "pappus/jobs"), partition=0)
    await producer.stop()
    async with (
        kafka.publisher("pappus/jobs") as publisher,
        running(servers, publisher, tmp_path, Counting) as (counting, _),
    ):
        await eventually(lambda: str(good.image_id) in counting.table, 60)
    [dead_letter] = await read_dead_letters(kafka, 1)
    assert str(LARGEST_BATCH_BYTES) in dead_letter.detail


async def test_a_tick_may_write_tables(servers: Servers, kafka: EventLog, tmp_path: Path) -> None:
    def declare(app: FaustApp) -> MutableMapping[str, Any]:
        table = app.table("trainings", 1)

        async def tick(record: Record) -> None:
            table["last"] = {"offset": record.offset, "at": record.timestamp_ms}

        app.every(0.5, TRIGGER_TICKS, tick)
        return table

    async with (
        kafka.publisher("pappus/jobs") as publisher,
        running(servers, publisher, tmp_path, declare) as (table, _),
    ):
        await eventually(lambda: table.get("last") and table["last"]["offset"] >= 1, 60)
    ticks = {"group": TRIGGER_APP, "topic": TRIGGER_TICKS}
    assert REGISTRY.get_sample_value("pappus_events_handled_total", ticks) is None, "ticks are no traffic"


async def test_a_restart_with_a_backlog_drops_no_event(
    servers: Servers, kafka: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holds the window open in which Faust as it comes may fetch events and drop them (see
    shared.faust_app.recovery)."""
    seek = Consumer.perform_seek

    async def slow_seek(self: Any) -> None:
        await seek(self)
        await asyncio.sleep(1.0)

    events = [image_stored() for _ in range(40)]
    async with kafka.publisher("pappus/jobs") as publisher:
        await publish(publisher, *events[:20])
        async with running(servers, publisher, tmp_path / "one", Counting) as (counting, _):
            await eventually(lambda: len(counting.table) == 20, 60)
        await publish(publisher, *events[20:])
        monkeypatch.setattr(Consumer, "perform_seek", slow_seek)
        async with running(servers, publisher, tmp_path / "two", Counting) as (counting, _):
            await publish(publisher, last := image_stored())
            await eventually(lambda: str(last.image_id) in counting.table, 60)

            async def nothing_left() -> bool:
                lag = await group_lag(servers.kafka, TRIGGER_APP, [ImageStored.topic])
                return not sum(lag.values())

            await eventually(nothing_left, 60)
            assert len(counting.table) == 41


class TestTheGuard:
    """Without a broker: what the guard does with each exception."""

    @asynccontextmanager
    async def app(
        self, tmp_path: Path, dead_letters: list[DeadLetter] | None
    ) -> AsyncIterator[tuple[FaustApp, list[int]]]:
        class Letters:
            async def publish(self, events: Any) -> list[Record]:
                raise AssertionError("nothing is published here")

            async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
                if dead_letters is None:
                    raise TransientError("Kafka is away")
                dead_letters.append(dead_letter)

        ended: list[int] = []
        yield (
            FaustApp(
                "guarded",
                KafkaConnection("127.0.0.1:1"),
                folder=tmp_path,
                publisher=Letters(),
                give_up=lambda: ended.append(1),
            ),
            ended,
        )

    RECORD = Record("image.stored", 0, 7, "key", b"value")

    async def test_tries_again_before_it_gives_up(self, tmp_path: Path) -> None:
        dead_letters: list[DeadLetter] = []
        calls: list[Record] = []

        async def body(record: Record) -> None:
            calls.append(record)
            if len(calls) < 3:
                raise KeyError("not yet")

        async with self.app(tmp_path, dead_letters) as (app, ended):
            await app.guarded(self.RECORD, body)
        assert (len(calls), dead_letters, ended) == (3, [], [])

    async def test_ends_the_process_when_even_the_dead_letter_cannot_be_published(self, tmp_path: Path) -> None:
        async def body(record: Record) -> None:
            raise InvalidMessage("no")

        async with self.app(tmp_path, None) as (app, ended):
            await app.guarded(self.RECORD, body)
        assert ended == [1]

    async def test_the_process_ends_when_a_dependency_is_away_and_keeps_the_event(self, tmp_path: Path) -> None:
        dead_letters: list[DeadLetter] = []

        async def body(record: Record) -> None:
            raise TransientError("Kafka is away")

        async with self.app(tmp_path, dead_letters) as (app, ended):
            await app.guarded(self.RECORD, body)
        assert (dead_letters, ended) == ([], [1])
