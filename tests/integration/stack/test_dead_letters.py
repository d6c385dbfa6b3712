"""`pappus dlq` on the real broker: twenty dead letters, and the way out."""

import asyncio
import os
import sys
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]

from pappus.stack import Servers
from shared.contract.events import Event, ImageRegistered
from shared.contract.topics import dead_letter_topic
from shared.messaging.codec import encode
from shared.messaging.event_log import Record
from shared.messaging.handler import TooManyDeadLetters, run_handlers, subscribe
from shared.messaging.kafka import KafkaEventLog, open_event_log
from shared.runtime.errors import InvalidMessage
from shared.runtime.health import Health
from shared.testing import eventually, image_registered, read_all
from tests.topics import empty_topics

pytestmark = pytest.mark.timeout(120)
GROUP = "dead letters"
TOPIC = ImageRegistered.topic


async def pappus(servers: Servers, *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from pappus.cli import app; app()", *arguments),
        env={**os.environ, "PAPPUS_STATE": str(servers.stack.state.root), "COLUMNS": "300"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def handle(event_log: KafkaEventLog, *, refusing: bool) -> list[ImageRegistered]:
    """Handle until no record is left, or until the group stops; return what was handled."""
    handled: list[ImageRegistered] = []

    async def on_image_registered(event: ImageRegistered) -> Sequence[Event]:
        if refusing:
            raise InvalidMessage("it makes no sense")
        handled.append(event)
        return []

    health = Health()
    task = asyncio.create_task(
        run_handlers(
            event_log,
            group=GROUP,
            source="pappus/jobs",
            subscriptions=[subscribe(ImageRegistered, on_image_registered)],
            health=health,
        )
    )
    await eventually(lambda: task.done() or (health.ready and len(handled) >= 5), 60)
    task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, TooManyDeadLetters if refusing else asyncio.CancelledError)
    return handled


async def records(event_log: KafkaEventLog) -> list[Record]:
    return await read_all(event_log, [TOPIC])


async def test_a_group_that_stopped_after_twenty_goes_on_when_it_is_told_to(servers: Servers) -> None:
    await empty_topics(servers)
    image_id = image_registered().image_id
    async with open_event_log(servers.kafka) as event_log:
        async with event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish([image_registered(image_id=image_id, attempt=number) for number in range(1, 46)])
        await handle(event_log, refusing=True)
        code, table = await pappus(servers, "dlq", "ls")
        assert code == 0
        assert TOPIC in table
        assert GROUP in table
        assert "20 x InvalidMessage: it makes no sense" in table
        code, said = await pappus(servers, "dlq", "skip", GROUP)
        assert (code, "offset 20" in said) == (0, True), said
        await handle(event_log, refusing=True)
        assert len(await read_all(event_log, [dead_letter_topic(TOPIC)])) == 40
        assert len(await handle(event_log, refusing=False)) == 5, "a repaired handler takes up the rest"
    code, said = await pappus(servers, "dlq", "skip", "nobody")
    assert code == 1
    assert GROUP in said, "the groups that there are"


async def test_what_was_given_up_is_published_again_once(servers: Servers) -> None:
    await empty_topics(servers)
    event = image_registered()
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka_bootstrap)
    await producer.start()
    await producer.send_and_wait(TOPIC, encode(event, "pappus/jobs"), key=b"its key", partition=2)
    await producer.send_and_wait(TOPIC, b"\xff\x00 no text \x1b[2J", key=b"rubbish", partition=2)
    await producer.send_and_wait(TOPIC, None, key=b"nothing", partition=2)
    for _ in range(18):
        await producer.send_and_wait(TOPIC, b"{}", partition=3)
    await producer.stop()
    async with open_event_log(servers.kafka) as event_log:
        await handle(event_log, refusing=True)
        _, lines = await pappus(servers, "dlq", "ls", "--each")
        of_place = {words[3]: words[0] for line in lines.splitlines() if len(words := line.split()) > 3}
        first, second, third = [of_place[f"{TOPIC}[2]@{offset}"] for offset in range(3)]
        [stored] = [record for record in await records(event_log) if record.key == "its key"]

        code, said = await pappus(servers, "dlq", "redrive", first, second, third, "--dry-run")
        assert (code, said.count("would be redriven")) == (0, 2), said
        assert len(await records(event_log)) == 21

        code, said = await pappus(servers, "dlq", "redrive", first, second, third)
        assert (code, "2 of 3 messages were published again" in said) == (0, True), said
        code, said = await pappus(servers, "dlq", "redrive", first, second, third)
        assert (code, said.count("was redriven before")) == (0, 2), said
        again = [record for record in await records(event_log) if record.key in ("its key", "rubbish")]
        assert [(record.partition, record.value) for record in again[::2]] == [(2, stored.value)] * 2
        assert again[1].value == again[3].value

        code, said = await pappus(servers, "dlq", "show", second)
        assert code == 0
        assert "redriven: yes" in said
        assert "handler: dead letters" in said
        assert "\x1b" not in said
        code, said = await pappus(servers, "dlq", "show", "no/such/letter")
        assert (code, "pappus dlq ls --each" in said) == (1, True)
