"""Gate and replica as they run in service: a candidate is tried on the requests of a client, and serves or does not."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx2
import numpy as np
import pytest

from pappus.stack import Servers
from pappus.stack.ports import free_ports
from services.trainer.data import trials
from services.trainer.data.projection import MIGRATIONS, SCHEMA
from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.messaging.kafka import create_topics, open_event_log
from shared.runtime.settings import Settings
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.testing import eventually
from tests.integration.predictor.running import PredictorProcess
from tests.integration.trainer.processes import TrainerProcess
from tests.integration.trainer.test_gate_watch import looking
from tests.integration.trainer.trainer_env import LABELS, World, png
from tests.server_forms import start_servers

GATE = "services.trainer.gate"
TRIED = {"trial_share": "0.9", "trial_answers": "12", "gate_least_changes": "1"}
_numbers = count(1)  # all tests here write to one log: none stores the pictures of another
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers for this module alone: there is one champion on a log, and others' tests make champions, too."""
    with start_servers() as running:
        yield running


@pytest.fixture
async def real(own_servers: Servers) -> AsyncIterator[World]:
    """A world on the real servers."""
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
def gate(own_servers: Servers, tmp_path: Path, mode: str) -> Iterator[TrainerProcess]:
    settings = {**own_servers.settings("trainer"), **TRIED, "trial_mode": mode, "replica": "gate"}
    with TrainerProcess(GATE, settings, tmp_path) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
async def replica(own_servers: Servers, tmp_path: Path) -> AsyncIterator[PredictorProcess]:
    ports = free_ports(("shared", "api"))
    own = {"replica": "api-0", "state_folder": str(tmp_path / "api"), "health_port": str(ports["api"])}
    settings = {**own_servers.settings("predictor"), **own, "port": str(ports["shared"])}
    process = PredictorProcess("api", settings, tmp_path / "api.log")
    process.start()
    try:
        await process.until("/livez")
        yield process
    finally:
        process.kill()


def rare_picture(grey: int) -> bytes:
    """Return a picture with a magenta middle: no test image is like it, and only one of the heads knows it."""
    pixels = np.full((96, 96, 3), grey, np.uint8)
    pixels[32:64, 32:64] = (235, 30, 235)
    return png(pixels)


@asynccontextmanager
async def asking(replica: PredictorProcess) -> AsyncIterator[list[dict[str, object]]]:
    """Ask about rare pictures, one after the other; yield the answers, which grow."""
    answers: list[dict[str, object]] = []

    async def ask() -> None:
        async with httpx2.AsyncClient(base_url=replica.url) as client:
            for number in range(100_000):
                files = {"file": ("a.png", rare_picture(100 + number % 30), "image/png")}
                response = await client.post("/predict", files=files)
                assert response.status_code == 200, response.text
                answers.append(response.json())

    task = asyncio.create_task(ask())
    try:
        yield answers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def given(answers: list[dict[str, object]]) -> set[tuple[object, object]]:
    """Return labels, and the versions that gave them."""
    return {(answer["label"], answer["model_version"]) for answer in answers}


async def verdict_of(world: World, candidate: ModelTrained) -> ModelPromoted | ModelRejected:
    async def began() -> bool:
        return await trials.trial_of(world.database, candidate.event_id) is not None

    await eventually(began, 60)
    return await world.verdict(candidate)


@pytest.mark.parametrize("mode", ["shadow"])
async def test_a_candidate_serves_after_its_trial_but_not_one_that_disagrees(
    real: World, gate: TrainerProcess, replica: PredictorProcess
) -> None:
    await real.dataset()
    first = await real.full(looking(forgets=False), version="full-a")
    assert isinstance(await real.verdict(first), ModelPromoted)
    await replica.until("/readyz")
    async with asking(replica) as answers:
        await real.image(LABELS[0])
        agrees = await real.full(looking(forgets=False), version="full-b")
        gate.end(signal.SIGKILL)
        gate.start()
        promoted = await verdict_of(real, agrees)
        assert isinstance(promoted, ModelPromoted), promoted.summary
        await eventually(lambda: answers[-1]["model_version"] == "full-b", 30)
        await real.image(LABELS[1])
        differs = await real.full(looking(forgets=True), version="full-c")
        rejected = await verdict_of(real, differs)
        assert isinstance(rejected, ModelRejected), rejected.summary
    (agreement,) = [one for one in promoted.verdict if one.rule == "trial_agreement"]
    assert agreement.outcome == "passed"
    assert agreement.figures["compared"] >= 12
    assert agreement.figures["disagreed"] == 0
    assert "answers to live requests differ" in rejected.summary
    assert given(answers) == {("dandelion", "full-a"), ("dandelion", "full-b")}


@pytest.mark.parametrize("mode", ["canary"])
async def test_the_share_gets_the_answers_of_a_canary_until_it_is_rejected(
    real: World, gate: TrainerProcess, replica: PredictorProcess
) -> None:
    """It goes on where the test before left off."""
    await replica.until("/readyz")
    for shows in LABELS * 8:
        await real.image(shows)
    async with asking(replica) as answers:
        differs = await real.full(looking(forgets=True), version="full-d")
        rejected = await verdict_of(real, differs)
        assert isinstance(rejected, ModelRejected), rejected.summary
        assert "answers to live requests differ" in rejected.summary
        assert given(answers) == {("dandelion", "full-b"), ("grass", "full-d")}

        async def champion_alone() -> bool:
            seen = len(answers)
            await eventually(lambda: len(answers) > seen + 20)
            return given(answers[seen:]) == {("dandelion", "full-b")}

        await eventually(champion_alone, 30)
