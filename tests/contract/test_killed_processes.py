"""Messages whose handling kills the process, on the real broker: counted over restarts, given up at the fifth death."""

import asyncio
import os
import sys
from collections.abc import Sequence

import pytest

from pappus.stack import Servers
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event, ImageRegistered, ImageRejected
from shared.contract.topics import dead_letter_topic
from shared.messaging.codec import decode
from shared.messaging.event_log import EventLog
from shared.messaging.failures import LAST_DEATH
from shared.testing import eventually, image_registered, read_all

pytestmark = pytest.mark.timeout(120)

CHILD = """
import asyncio, os, signal, sys
from shared.contract.events import ImageRegistered
from shared.messaging.handler import run_handlers, subscribe
from shared.messaging.kafka import open_event_log
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.health import Health
from shared.runtime.process import run
from shared.testing import image_rejected

async def on_image_registered(event):
    if event.label == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(0.02)
    return [image_rejected(image_id=event.image_id, causes=(event.event_id,))]

async def main():
    async with open_event_log(KafkaConnection(sys.argv[1])) as event_log:
        await run_handlers(
            event_log, group=sys.argv[2], source="pappus/jobs", member="one", concurrency=4, health=Health(),
            subscriptions=[subscribe(ImageRegistered, on_image_registered)],
        )

run(main)
"""


async def start(servers: Servers, group: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, servers.kafka_bootstrap, group),
        env=os.environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def publish(event_log: EventLog, events: Sequence[Event]) -> None:
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)


async def outcomes(event_log: EventLog) -> set[str]:
    records = await read_all(event_log, [ImageRejected.topic])
    return {str(cause) for record in records for cause in decode(record.topic, record.value).causes}


async def dead_letters(event_log: EventLog) -> list[DeadLetter]:
    found = await read_all(event_log, [dead_letter_topic(ImageRegistered.topic)])
    return [DeadLetter.model_validate_json(record.value or b"") for record in found]


async def test_a_message_that_kills_five_processes_is_a_dead_letter(servers: Servers, kafka: EventLog) -> None:
    events = [image_registered(label="kills" if number == 20 else "harmless") for number in range(60)]
    await publish(kafka, events)
    for _ in range(LAST_DEATH):
        process = await start(servers, "poisoned")
        assert await process.wait() < 0, "it was killed"
        assert not await dead_letters(kafka)
    process = await start(servers, "poisoned")
    try:
        harmless = {str(event.event_id) for event in events if event.label == "harmless"}

        async def all_there() -> bool:
            return await outcomes(kafka) == harmless

        await eventually(all_there, 60)
        [dead_letter] = await dead_letters(kafka)
        assert dead_letter.key == events[20].key
        assert dead_letter.error == "KilledProcess"
        assert "often for lack of memory" in dead_letter.detail
    finally:
        process.terminate()
        await process.wait()


async def test_processes_that_are_asked_to_end_do_not_count(servers: Servers, kafka: EventLog) -> None:
    for _ in range(4):
        events = [image_registered(label="harmless") for _ in range(40)]
        before = len(await outcomes(kafka))
        await publish(kafka, events)
        process = await start(servers, "ended in order")

        async def some(before: int = before) -> bool:
            return len(await outcomes(kafka)) > before

        await eventually(some, 60)
        process.terminate()
        assert await process.wait() == 0
    assert not await dead_letters(kafka)
