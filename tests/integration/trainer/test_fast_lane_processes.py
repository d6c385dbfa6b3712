"""Lane and gate as they run in service: real processes on a real log, killed and started again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import TypeVar, cast

import pytest

from pappus.stack import Servers
from services.trainer.data.projection import MIGRATIONS, SCHEMA, TOPICS
from shared.contract.events import Event, ModelPromoted, ModelTrained
from shared.messaging.codec import decode
from shared.messaging.kafka import create_topics, open_event_log
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import wait_until_caught_up
from shared.testing import read_all
from tests.integration.trainer.processes import ROOT, TrainerProcess
from tests.integration.trainer.trainer_env import World, read_candidates
from tests.server_forms import start_servers

E = TypeVar("E", bound=Event)
LANE, GATE = "services.trainer.fast_lane", "services.trainer.gate"
_numbers = count(1)  # all tests here write to one log: none stores the pictures of another
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers for this module alone: there is one champion on a log, and others' tests make champions, too."""
    with start_servers() as running:
        yield running


@pytest.fixture
async def real(own_servers: Servers) -> AsyncIterator[World]:
    """A world on the real servers, with a first champion to come."""
    root = own_servers.credentials.s3["root"]
    keys = {"s3_access_key": root.access_key, "s3_secret_key": root.secret_key}
    settings = Settings.model_validate({**own_servers.settings("trainer"), **keys})
    await create_topics(own_servers.kafka)
    async with (
        open_event_log(own_servers.kafka) as event_log,
        Database.open(own_servers.database_url("trainer"), SCHEMA, MIGRATIONS) as database,
        open_object_store(settings) as store,
        event_log.publisher("pappus/jobs") as publisher,
    ):
        yield World(event_log, database, store, publisher, numbers=_numbers)


@pytest.fixture
def lane(own_servers: Servers, tmp_path: Path) -> Iterator[TrainerProcess]:
    with TrainerProcess(LANE, {**own_servers.settings("trainer"), "replica": "lane"}, tmp_path) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def gate(own_servers: Servers, tmp_path: Path) -> Iterator[TrainerProcess]:
    with TrainerProcess(GATE, {**own_servers.settings("trainer"), "replica": "gate"}, tmp_path) as process:
        process.wait_until_ready()
        yield process


async def published(world: World, event: type[E]) -> list[E]:
    """Return all events of one type, each once."""
    records = await read_all(world.event_log, [event.topic])
    events = [cast("E", decode(event.topic, record.value)) for record in records]
    return list({one.event_id: one for one in events}.values())


async def test_each_of_many_corrections_gets_a_candidate_that_is_promoted(
    real: World, lane: TrainerProcess, gate: TrainerProcess
) -> None:
    await real.dataset()
    first = await real.full()
    verdict = await real.verdict(first)
    assert isinstance(verdict, ModelPromoted), verdict.summary
    images = [await real.image("grass", says="dandelion") for _ in range(30)]
    corrected = [await real.correct(image, "dandelion") for image in images[:5]]
    await real.live(*corrected)
    alone = []
    for image in images[5:]:
        alone.append(await real.correct(image, "dandelion"))
        await real.live(alone[-1])
    promoted = {event.causes[0] for event in await published(real, ModelPromoted)}
    candidates = [one for one in await published(real, ModelTrained) if one.event_id in promoted]
    assert {one.event_id for one in alone} <= {one.causes[0] for one in candidates if len(one.causes) == 1}


async def test_killed_at_any_time_they_lose_no_correction_and_judge_none_twice(
    real: World, lane: TrainerProcess, gate: TrainerProcess
) -> None:
    await real.dataset(train=20, test=0)
    images = [await real.image("grass", says="dandelion") for _ in range(30)]
    corrected = []
    for number, image in enumerate(images):
        corrected.append(await real.correct(image, "dandelion"))
        if number % 6 == 3:
            for process in (lane, gate)[number // 6 % 2 :]:
                process.end(signal.SIGKILL)
                process.start()
    champion = await real.live(*corrected, timeout_seconds=90)
    rows = await read_candidates(real.database)
    sequences = sorted(sequence for row in rows for sequence in row.promoted)
    assert sequences == list(range(1, champion.sequence + 1))
    causes = [event.causes[0] for event in await published(real, ModelPromoted)]
    assert len(causes) == len(set(causes))


async def replayed(servers: Servers) -> None:
    """Run `python -m services.replay trainer` to its end."""
    named = {f"PAPPUS_{name.upper()}": value for name, value in servers.settings("trainer").items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.replay",
        "trainer",
        cwd=ROOT,
        env={**os.environ, **named},
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_replay_gives_the_same_tables_while_the_processes_run(
    real: World, lane: TrainerProcess, gate: TrainerProcess, own_servers: Servers
) -> None:
    await wait_until_caught_up(real.event_log, real.database, TOPICS, 20)
    before = await canonical_dump(real.database)
    ends = await real.event_log.end_offsets(TOPICS)
    await replayed(own_servers)
    assert await canonical_dump(real.database) == before
    assert await real.event_log.end_offsets(TOPICS) == ends
    image = await real.image("grass", says="dandelion")
    await real.live(await real.correct(image, "dandelion"))
