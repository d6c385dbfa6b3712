"""The API over the real log: races, replay, a second replica."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from pappus.stack import Servers
from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import read_users
from services.labeler.data.projection import replay_plan
from services.labeler.settings import LabelerSettings
from shared.contract.events import Event
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import create_topics, open_event_log
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up
from shared.tables.replay import canonical_dump, replay
from shared.testing import FixedClock, MemoryObjectStore, image_stored

from .conftest import TOPICS, running, token


@dataclass
class Replicas:
    """Two APIs over one log and one set of tables."""

    event_log: EventLog
    tables: Database
    clients: dict[str, httpx2.AsyncClient]

    async def publish(self, *events: Event) -> None:
        """Publish events and wait until the tables show them."""
        async with self.event_log.publisher("pappus/jobs") as publisher:
            await publisher.publish(events)
        await wait_until_caught_up(self.event_log, self.tables, TOPICS, 120)

    async def correct(self, who: str, image_id: UUID, label: str, revision: int) -> httpx2.Response:
        """Correct a label at the replica this user is connected to."""
        return await self.clients[who].post(f"/images/{image_id}/label", json={"label": label, "revision": revision})


@pytest.fixture
def settings(settings: LabelerSettings) -> LabelerSettings:
    """Settings of an API that waits for a real broker on a busy machine."""
    return settings.model_copy(update={"outcome_timeout_seconds": 30.0, "publish_timeout_seconds": 20.0})


@pytest.fixture
async def replicas(
    servers: Servers, settings: LabelerSettings, tables: Database, known: None
) -> AsyncIterator[Replicas]:
    """Two replicas, one for anna and one for berta. Only one of them writes the tables."""
    await create_topics(servers.kafka)
    store = MemoryObjectStore()
    async with (
        open_event_log(servers.kafka) as event_log,
        running(settings, event_log, store) as (one, _),
        running(settings, event_log, store) as (other, _),
        _client(one, "anna") as anna,
        _client(other, "berta") as berta,
    ):
        yield Replicas(event_log, tables, {"anna": anna, "berta": berta})


def _client(app: FastAPI, name: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app)
    headers = {"Authorization": f"Bearer {token(name)}"}
    return httpx2.AsyncClient(transport=transport, base_url="http://labeler", headers=headers, timeout=30)


@pytest.mark.timeout(180)
async def test_of_two_corrections_at_two_replicas_exactly_one_wins_every_time(replicas: Replicas) -> None:
    for _ in range(10):
        stored = image_stored(label="dandelion")
        await replicas.publish(stored)

        answers = await asyncio.gather(
            replicas.correct("anna", stored.image_id, "grass", 0),
            replicas.correct("berta", stored.image_id, "dandelion", 0),
        )

        assert sorted(answer.status_code for answer in answers) == [200, 409], [answer.text for answer in answers]
        [won] = [answer.json() for answer in answers if answer.status_code == 200]
        [lost] = [answer.json() for answer in answers if answer.status_code == 409]
        assert (lost["label"], lost["revision"]) == (won["label"], 1)
        shown = (await replicas.clients["berta"].get(f"/images/{stored.image_id}")).json()
        assert (shown["label"], shown["revision"]) == (won["label"], 1)


@pytest.mark.timeout(180)
async def test_a_replay_gives_the_same_tables_and_keeps_the_users(
    replicas: Replicas, database_url: str, users_file: Path
) -> None:
    stored = image_stored()
    await replicas.publish(stored)
    assert (await replicas.correct("anna", stored.image_id, "grass", 0)).status_code == 200
    await Users(replicas.tables).set_all(read_users(users_file), FixedClock()())
    before = await canonical_dump(replicas.tables)
    events = await replicas.tables.fetchval("SELECT count(*) FROM events")

    report = await replay(replicas.event_log, database_url, replay_plan())

    kept = {"users": 3, "event_numbers": events}
    assert report.kept == dict.fromkeys(replay_plan().inputs, 0) | kept
    assert await canonical_dump(replicas.tables) == before
    again = await replicas.correct("berta", stored.image_id, "dandelion", 1)
    assert (again.status_code, again.json()["revision"]) == (200, 2)
