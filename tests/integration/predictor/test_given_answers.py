"""Answers that were given are found by their ids, over the log and the table; PostgreSQL may be away."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from pappus.stack import Servers
from services.predictor.data.projection import replay_plan
from shared.tables.replay import replay
from shared.testing import eventually, image_withdrawn
from tests.integration.predictor.conftest import World
from tests.unit.predictor.small_model import picture, sha256_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]
ROLE = "predictor_api"


class Asked:
    """The last answer of the route."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.response = httpx2.Response(0)

    async def is_status(self, prediction_id: UUID | str, status: int) -> bool:
        async with httpx2.AsyncClient() as client:
            self.response = await client.get(f"{self._world.api.url}/predictions/{prediction_id}")
        return self.response.status_code == status


async def predict(world: World, data: bytes) -> dict[str, Any]:
    async with httpx2.AsyncClient() as client:
        response = await client.post(f"{world.api.url}/predict", files={"file": data})
    assert response.status_code == 200, response.text
    return dict(response.json())


async def serves(world: World) -> bool:
    async with httpx2.AsyncClient() as client:
        model = await client.get(f"{world.api.url}/model")
    return model.status_code == 200 and model.json()["sequence"] == world.sequence


@pytest_asyncio.fixture(loop_scope="module")
async def asked(world: World) -> Asked:
    """A replica with a model."""
    await world.promote()
    await eventually(lambda: serves(world), 60)
    return Asked(world)


async def test_an_answer_is_found_by_its_id_soon_after(world: World, asked: Asked) -> None:
    data = picture(17, 3, 5)
    given = await predict(world, data)
    await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)
    found = asked.response.json()
    same = ("prediction_id", "label", "name", "model_version", "sha256", "replica")
    assert {name: found[name] for name in same} == {name: given[name] for name in same}
    assert found["probabilities"] == pytest.approx(given["probabilities"])
    assert (found["sha256"], found["image_id"], found["source"]) == (sha256_of(data), None, "api")
    assert await asked.is_status(uuid4(), 404)


async def test_a_replay_leaves_replicas_their_table(world: World, asked: Asked) -> None:
    given = await predict(world, picture(16, 3, 5))
    await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)
    assert (await replay(world.event_log, world.database_url, replay_plan())).swapped
    await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)


async def test_no_answer_about_bytes_that_were_taken_back_is_shown(world: World, asked: Asked) -> None:
    data = picture(18, 3, 5)
    given = await predict(world, data)
    await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)
    await world.publish("pappus/labeler", image_withdrawn(sha256=sha256_of(data)))
    await eventually(lambda: asked.is_status(given["prediction_id"], 404), 30)


async def test_only_this_route_waits_for_postgresql(world: World, asked: Asked, servers: Servers) -> None:
    given = await predict(world, picture(19, 3, 5))
    await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)
    superuser = await asyncpg.connect(servers.database_url("postgres"))
    gone = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1"
    try:
        assert await superuser.fetchval(gone, ROLE) > 0
        await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)  # it connects anew
        await superuser.execute(f"ALTER ROLE {ROLE} NOLOGIN")
        await superuser.fetchval(gone, ROLE)
        await eventually(lambda: asked.is_status(given["prediction_id"], 503), 30)
        assert asked.response.json()["error"] == "store_unavailable"
        assert int(asked.response.headers["retry-after"]) > 0
        assert await world.api.answers("/readyz")
        assert (await predict(world, picture(20, 3, 5)))["label"]
        await superuser.execute(f"ALTER ROLE {ROLE} LOGIN")
        await eventually(lambda: asked.is_status(given["prediction_id"], 200), 30)
    finally:
        await superuser.execute(f"ALTER ROLE {ROLE} LOGIN")
        await superuser.close()


READABLE = {"predictions", "batches", "batch_predictions", "completion_numbers"}


async def test_a_replica_reads_the_tables_of_answers_and_nothing_else(world: World, servers: Servers) -> None:
    tables = await world.database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'predictor'")
    names = {row["tablename"] for row in tables}
    assert names > READABLE
    connection = await asyncpg.connect(servers.database_url(ROLE))
    try:
        for name in READABLE:
            await connection.fetchval(f"SELECT count(*) FROM {name}")
        for statement in (
            *(f"SELECT FROM {name}" for name in names - READABLE),
            "DELETE FROM predictions",
            "UPDATE predictions SET label = 'grass'",
            "CREATE TABLE predictor.t (n int)",
            "SELECT FROM labeler.images",
            "SELECT pg_try_advisory_lock(1)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
