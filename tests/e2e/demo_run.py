"""A stack that has told its story, and how tests speak with it: as a person at the shell, and behind the scenes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from pappus.stack import LocalServers, Servers, Stack
from pappus.stack.identity import marked
from pappus.stack_client import RunningStack
from shared.clients.answers import ImageView, Prediction
from shared.clients.api import AsyncApi
from shared.clients.labeler import correct_label, get_image, upload_image
from shared.clients.predictor import predict
from shared.contract.events import Event
from shared.contract.roles import Role
from shared.messaging.codec import decode
from shared.messaging.event_log import Record, TopicPartition
from shared.messaging.kafka import open_event_log
from shared.messaging.kafka.event_log import KafkaEventLog
from shared.runtime.errors import InvalidMessage
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.tables.database import Row
from shared.tables.postgres import close, connector
from shared.testing import eventually, read_all

PROJECT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS = 240
LIVE_SECONDS = 180.0
"""How long what follows is waited for: beside other tests on two cores the slowest process takes that."""


def pappus(state: Path, *arguments: str, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, in a wide terminal, with the public photographs out of reach."""
    surroundings = {"COLUMNS": "250", "HTTPS_PROXY": "http://127.0.0.1:1", "PAPPUS_STATE": str(state)}
    return subprocess.run(
        [sys.executable, "-m", "pappus.cli", *arguments],
        cwd=PROJECT,
        env=os.environ | surroundings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


@dataclass(frozen=True)
class Told:
    """The stack after `pappus demo`: how the command ended, and its report."""

    stack: Stack
    exit_code: int
    output: str
    report: Mapping[str, Any]

    @cached_property
    def running(self) -> RunningStack:
        """Addresses and passwords as people use them."""
        return RunningStack.find(self.stack.state)

    @cached_property
    def web(self) -> str:
        """Where tests serve pictures, allowed for good: what the demo was lent there is taken back."""
        address = self.running.images_url
        self.stack.up(["ingestor"], allowed_hosts=[urlsplit(address).netloc])
        return address

    @property
    def servers(self) -> Servers:
        """Addresses and passwords as services use them."""
        return LocalServers(self.stack, self.stack.status(), self.stack.credentials())

    def pappus(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this stack."""
        return pappus(self.stack.state.root, *arguments)

    async def until_ready(self) -> None:
        """Wait until `pappus status` says that all is well: on a busy machine one answer to a probe may come late."""

        def ready() -> bool:
            return self.pappus("status").returncode == 0

        await eventually(ready, LIVE_SECONDS)

    def person(self, role: Role = "labeler") -> AbstractAsyncContextManager[AsyncApi]:
        """Open a client with a login."""
        return self.running.labeler_as(role)

    def event_log(self) -> AbstractAsyncContextManager[KafkaEventLog]:
        """Open the log."""
        return open_event_log(self.servers.kafka)

    def store(self) -> AbstractAsyncContextManager[ObjectStore]:
        """Open the object store, as its owner sees it."""
        root = self.servers.credentials.s3["root"]
        keys = {"s3_access_key": root.access_key, "s3_secret_key": root.secret_key}
        return open_object_store(Settings.model_validate({**self.servers.settings("ingestor"), **keys}))

    async def rows(self, role: str, query: str, *arguments: object) -> list[Row]:
        """Return what a query gives in the schema of this role."""
        connection = await connector(self.servers.database_url(role), role)()
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await close(connection)

    async def ends(self, topics: Iterable[str]) -> Mapping[TopicPartition, int]:
        """Return the end offsets now."""
        async with self.event_log() as event_log:
            return await event_log.end_offsets(tuple(topics))

    async def records(self, topics: Iterable[str]) -> list[Record]:
        """Return everything that is on these topics now, each partition in its order."""
        async with self.event_log() as event_log:
            return await read_all(event_log, tuple(topics))

    async def answer(self, data: bytes) -> Prediction:
        """Return what the model says, once every replica says the same with the same version."""

        async def agreed() -> Prediction | None:
            async with self.running.each_replica() as replicas:
                answers = await asyncio.gather(*(replica.send(predict(data)) for replica in replicas))
            told = {(answer.label, answer.model_sequence) for answer in answers}
            return answers[0] if len(told) == 1 else None

        found: Prediction | None = await eventually(agreed, LIVE_SECONDS)
        assert found is not None
        return found

    async def until_answered(self, data: bytes, label: str) -> None:
        """Wait until every replica says `label`."""

        async def say_so() -> bool:
            async with self.running.each_replica() as replicas:
                answers = await asyncio.gather(*(replica.send(predict(data)) for replica in replicas))
            return all(answer.label == label for answer in answers)

        await eventually(say_so, LIVE_SECONDS)

    async def correct_to_the_other(self, data: bytes) -> str:
        """Bring a picture, say that it is the other plant than the model thinks, wait until the model agrees; which
        one that is."""
        label = other((await self.answer(data)).label)
        async with self.person() as person:
            image = await brought(person, data)
            await person.send(correct_label(image.image_id, label, image.revision, reason="a test says so"))
        await self.until_answered(data, label)
        return label


async def brought(person: AsyncApi, data: bytes) -> ImageView:
    """Upload a picture; the image, once it is stored."""
    image_id = (await person.send(upload_image("picture.png", data))).image_id

    async def stored() -> ImageView | None:
        image = await person.send(get_image(image_id))
        return image if image.state == "stored" else None

    found: ImageView | None = await eventually(stored, LIVE_SECONDS)
    assert found is not None
    return found


def other(label: str) -> str:
    """Return the other of the two labels."""
    return {"dandelion": "grass", "grass": "dandelion"}[label]


def readable(record: Record) -> Event | None:
    """Return the event, if it can be read."""
    try:
        return decode(record.topic, record.value)
    except InvalidMessage:
        return None


def left_of(stack: Stack) -> list[int]:
    """Return every process that this stack started and that still runs, PostgreSQL's own included."""
    below = [p.pid for p in psutil.process_iter() if str(stack.state.root) in " ".join(_command(p))]
    return sorted({*marked(str(stack.state.root)), *below} - {os.getpid()})


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
