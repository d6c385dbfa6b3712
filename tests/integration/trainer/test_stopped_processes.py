"""Any of the trainer's processes stopped or killed while corrections come: the others go on, and all is right then."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from pappus.stack import Servers
from services.trainer.data import queries
from services.trainer.data.projection import MIGRATIONS, SCHEMA, TOPICS
from services.trainer.dataset.records import ModelRow
from shared.contract.events import LabelCorrected, ModelPromoted
from shared.messaging.codec import decode
from shared.messaging.kafka import create_topics, open_event_log
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.lock_holder import application_name
from shared.tables.projection import wait_until_caught_up
from shared.testing import eventually, read_all
from tests.integration.trainer.processes import TrainerProcess
from tests.integration.trainer.trainer_env import Stored, World, read_candidates
from tests.server_forms import start_servers

LANE, GATE = "services.trainer.fast_lane", "services.trainer.gate"
FULL, RECORDER = "services.trainer.full_lane", "services.trainer.recorder"
_numbers = count(1)  # all tests here write to one log: none stores the pictures of another
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers for this module alone: there is one champion on a log."""
    with start_servers() as running:
        asyncio.run(create_topics(running.kafka))
        yield running


@pytest.fixture(scope="module")
def images() -> list[Stored]:
    """The images of the one log, over all tests."""
    return []


@pytest.fixture
async def real(own_servers: Servers, images: list[Stored]) -> AsyncIterator[World]:
    """A world on the real servers."""
    root = own_servers.credentials.s3["root"]
    keys = {"s3_access_key": root.access_key, "s3_secret_key": root.secret_key}
    settings = Settings.model_validate({**own_servers.settings("trainer"), **keys})
    async with (
        open_event_log(own_servers.kafka) as event_log,
        Database.open(own_servers.database_url("trainer"), SCHEMA, MIGRATIONS) as database,
        open_object_store(settings) as store,
        event_log.publisher("pappus/jobs") as publisher,
    ):
        yield World(event_log, database, store, publisher, images, numbers=_numbers)


@pytest.fixture(scope="module")
def processes(own_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TrainerProcess]]:
    """The four processes that read the tables; the recorder finds no MLflow, and waits."""
    folder = tmp_path_factory.mktemp("stopped")
    with ExitStack() as stack:
        started = {}
        for module in (LANE, GATE, FULL, RECORDER):
            own = {"replica": module.rpartition(".")[2], "writer_silence_seconds": "4"}
            own["mlflow_url"] = "http://127.0.0.1:9"
            process = TrainerProcess(module, {**own_servers.settings("trainer"), **own}, folder)
            started[module] = stack.enter_context(process)
        started[LANE].wait_until_ready(150)
        started[GATE].wait_until_ready(150)
        yield started


async def make_writer(database: Database, module: str, processes: dict[str, TrainerProcess]) -> None:
    """Let the process of this module be the one that writes the tables: the others are stopped until it does."""
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
    wanted = processes[module]
    if wanted.writes_tables():
        return
    with ExitStack() as stopped:
        for name, process in processes.items():
            if name != module and process.is_running():
                stopped.enter_context(away(process, signal.SIGSTOP))
        await database.execute(sql, application_name(database.schema, "writer"))
        await eventually(lambda: asyncio.to_thread(wanted.writes_tables), 60)


async def first_champion(world: World) -> None:
    """Wait until there is a champion: each of these tests can run alone."""
    await wait_until_caught_up(world.event_log, world.database, TOPICS, 60)
    if await queries.champion(world.database) is None:
        await world.dataset()
        verdict = await world.verdict(await world.full())
        assert isinstance(verdict, ModelPromoted), verdict.summary


@contextmanager
def away(process: TrainerProcess, how: signal.Signals) -> Iterator[None]:
    """Keep the process stopped, or killed, during the block."""
    if how == signal.SIGKILL:
        process.end(how)
        yield
        process.start()
        return
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def correct_three(world: World) -> list[LabelCorrected]:
    images = [await world.image("grass", says="dandelion") for _ in range(3)]
    return [await world.correct(image, "dandelion") for image in images]


async def read_unjudged(database: Database) -> list[ModelRow]:
    return [row for row in await read_candidates(database) if not row.judged]


async def all_is_right(world: World, corrected: list[LabelCorrected]) -> None:
    """Check that every correction is live, no promotion is missing, and no cause was decided twice."""
    champion = await world.live(*corrected, timeout_seconds=90)
    rows = await read_candidates(world.database)
    assert sorted(sequence for row in rows for sequence in row.promoted) == list(range(1, champion.sequence + 1))
    records = await read_all(world.event_log, [ModelPromoted.topic])
    promoted = {event.event_id: event.causes for record in records if (event := decode(record.topic, record.value))}
    assert len(promoted) == len(set(promoted.values()))


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_without_the_fast_lane_tables_and_gate_go_on(
    real: World, processes: dict[str, TrainerProcess], how: signal.Signals
) -> None:
    await first_champion(real)
    await make_writer(real.database, LANE, processes)
    with away(processes[LANE], how):
        corrected = await correct_three(real)
        verdict = await eventually(partial(queries.verdict_on, real.database, (await real.full()).event_id), 60)
        assert verdict is not None
        shown = {one.event_id for one in await queries.applied_corrections(real.database)}
        assert {one.event_id for one in corrected} <= shown
    await all_is_right(real, corrected)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_without_the_gate_the_fast_lane_builds_a_candidate(
    real: World, processes: dict[str, TrainerProcess], how: signal.Signals
) -> None:
    await first_champion(real)
    await make_writer(real.database, GATE, processes)
    with away(processes[GATE], how):
        corrected = await correct_three(real)
        (candidate, *_) = await eventually(partial(read_unjudged, real.database), 60)
        assert candidate.trained.lane == "fast"
    await all_is_right(real, corrected)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.parametrize("module", [FULL, RECORDER])
async def test_without_full_lane_or_recorder_corrections_are_live(
    real: World, processes: dict[str, TrainerProcess], module: str, how: signal.Signals
) -> None:
    await first_champion(real)
    with away(processes[module], how):
        await all_is_right(real, await correct_three(real))


async def test_without_fast_lane_and_gate_the_full_lane_folds(
    real: World, processes: dict[str, TrainerProcess]
) -> None:
    await first_champion(real)
    with away(processes[LANE], signal.SIGSTOP), away(processes[GATE], signal.SIGSTOP):
        corrected = await correct_three(real)
        await wait_until_caught_up(real.event_log, real.database, TOPICS, 60)
    await all_is_right(real, corrected)


async def test_a_second_fast_lane_takes_over_from_a_stopped_one(
    real: World, processes: dict[str, TrainerProcess], own_servers: Servers, tmp_path: Path
) -> None:
    await first_champion(real)
    own = {"replica": "second", "writer_silence_seconds": "4"}
    with TrainerProcess(LANE, {**own_servers.settings("trainer"), **own}, tmp_path) as second:
        second.wait_until_ready(150)
        with away(processes[LANE], signal.SIGSTOP):
            await all_is_right(real, await correct_three(real))
        await all_is_right(real, await correct_three(real))
        with away(second, signal.SIGSTOP):
            await all_is_right(real, await correct_three(real))
