"""Faust workers in processes of their own, so that they can be killed and may end by themselves."""

import asyncio
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from bench.kafka_pitfalls.clients import admin_client, new_topic, producer

START_SECONDS = 40.0


class Worker:
    """A worker in a process of its own, on a topic of its own."""

    def __init__(self, bootstrap: str, topic: str, group: str, process: asyncio.subprocess.Process) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self.process = process

    @classmethod
    @asynccontextmanager
    async def start(
        cls, bootstrap: str, variant: str, values: Sequence[str], topic: str | None = None
    ) -> AsyncIterator["Worker"]:
        """Start one on a new topic with these values, if it is given none; killed at the end."""
        group = f"faust-{uuid.uuid4().hex[:8]}"
        source = topic or await new_topic(bootstrap)
        await new_topic(bootstrap, name=f"{group}-counts-changelog", configs={"cleanup.policy": "compact"})
        async with producer(bootstrap) as sender:
            for value in values:
                await sender.send_and_wait(source, value.encode())
        with tempfile.TemporaryDirectory(prefix="faust-") as folder:
            command = (sys.executable, "-W", "ignore", "-m", "bench.kafka_pitfalls.faust_worker")
            process = await asyncio.create_subprocess_exec(
                *command,
                bootstrap,
                group,
                source,
                variant,
                folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                yield cls(bootstrap, source, group, process)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    async def wait_for(self, value: str, seconds: float = START_SECONDS) -> bool:
        """Return whether the agent takes this value in time."""
        assert self.process.stdout is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while line := await self.process.stdout.readline():
                    if line.decode().strip() == value:
                        return True
        return False

    async def ends(self, seconds: float) -> bool:
        """Return whether the process ends in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.process.wait()
        return self.process.returncode is not None

    async def committed(self) -> int:
        """Return the group's committed offset; 0 if there is none."""
        async with admin_client(self._bootstrap) as admin:
            offsets = await admin.list_consumer_group_offsets(self._group)
        return next((found.offset for place, found in offsets.items() if place.topic == self._topic), 0)
