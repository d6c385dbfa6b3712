"""Two processes of one kind on the real broker: with defaults they share the work, with one name only one goes on."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pappus.stack import Servers
from shared.messaging.event_log import EventLog
from shared.testing import eventually, image_registered

pytestmark = pytest.mark.timeout(120)

CHILD = """
import sys
from shared.contract.events import ImageRegistered
from shared.messaging.handler import run_handlers, subscribe
from shared.messaging.kafka import open_event_log
from shared.runtime.health import Health
from shared.runtime.process import run, run_parts
from shared.runtime.settings import Settings

async def on_image_registered(event):
    print("handled", event.event_id, flush=True)
    return []

async def main():
    settings, health = Settings(), Health()
    async with open_event_log(settings.kafka) as event_log:
        handlers = run_handlers(
            event_log, group=sys.argv[1], source="pappus/jobs", health=health, **settings.in_groups,
            subscriptions=[subscribe(ImageRegistered, on_image_registered)],
        )
        await run_parts(health, handlers=handlers)

run(main)
"""


class Child:
    """A process with a handler, and the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode())

    @property
    def partitions(self) -> int:
        """How many partitions the last assignment had; 0 before the first."""
        assigned = [line for line in self.lines if "assigned" in line]
        return assigned[-1].count("image.registered[") if assigned else 0

    @property
    def handled(self) -> list[str]:
        return [line.split()[1] for line in self.lines if line.startswith("handled")]


@asynccontextmanager
async def child(servers: Servers, name: str | None) -> AsyncIterator[Child]:
    environment = {key: value for key, value in os.environ.items() if key != "PAPPUS_REPLICA"}
    environment["PAPPUS_KAFKA_BOOTSTRAP"] = servers.kafka_bootstrap
    if name is not None:
        environment["PAPPUS_REPLICA"] = name
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        f"group of {name}",  # a name that a killed process leaves keeps its partitions for a while
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    started = Child(process)
    try:
        yield started
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await started.reading


async def publish(event_log: EventLog, count: int) -> list[str]:
    events = [image_registered() for _ in range(count)]
    async with event_log.publisher("pappus/jobs") as publisher:
        await publisher.publish(events)
    return sorted(str(event.event_id) for event in events)


async def test_two_processes_with_defaults_share_the_work(servers: Servers, kafka: EventLog) -> None:
    async with child(servers, None) as first, child(servers, None) as second:
        await eventually(lambda: (first.partitions, second.partitions) == (2, 2), 60)
        events = await publish(kafka, 60)
        await eventually(lambda: sorted(first.handled + second.handled) == events, 30)
        assert first.handled
        assert second.handled
        assert first.process.returncode is second.process.returncode is None


async def test_of_two_processes_with_one_name_one_ends_and_says_why(servers: Servers, kafka: EventLog) -> None:
    async with child(servers, "twin") as first:
        await eventually(lambda: first.partitions == 4, 60)
        async with child(servers, "twin") as second:
            await eventually(lambda: first.process.returncode is not None or second.process.returncode is not None, 60)
            ended, other = (first, second) if first.process.returncode is not None else (second, first)
            await ended.reading
            assert ended.process.returncode == 1
            assert any("another process uses the name twin" in line for line in ended.lines)
            events = await publish(kafka, 40)
            await eventually(lambda: sorted(other.handled) == events, 60)
            assert other.process.returncode is None


async def test_a_process_that_was_killed_comes_back_under_its_name(servers: Servers, kafka: EventLog) -> None:
    async with child(servers, "phoenix") as first:
        await eventually(lambda: first.partitions == 4, 60)
        first.process.kill()
    async with child(servers, "phoenix") as second:
        await eventually(lambda: second.partitions == 4, 20)
        events = await publish(kafka, 10)
        await eventually(lambda: sorted(second.handled) == events)
