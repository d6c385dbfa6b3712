"""Callbacks of batches on real tables: signed, at least once, again after a failure and a restart, given up at last."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from pydantic import SecretStr

from pappus.stack import Servers
from services.predictor.batches import callbacks
from services.predictor.batches.callbacks import CallbackDelivery
from services.predictor.data.callbacks import DueCallback, due_callbacks
from services.predictor.data.projection import MIGRATIONS, projectors
from services.predictor.decisions.batches import callback_secret
from services.predictor.settings import PredictorSettings
from shared.contract.batches import BatchRefusal
from shared.contract.events import Event
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.postgres import Row
from shared.testing import eventually, fresh_schema, prediction_completed, prediction_requested
from shared.web.webhooks import GONE, sign

MASTER = "the secret of this installation"
OF_TOPIC = {projector.event: projector for projector in projectors()}
STARTED = prediction_requested().occurred_at


@dataclass
class Receiver:
    """A program that is told; `statuses` are its next answers, 204 when they are used up."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    refused: int = 0
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        status = self.statuses.pop(0) if self.statuses else 204
        if status == 204:
            self.taken.append((dict(request.headers), await request.read()))
        else:
            self.refused += 1
        return web.Response(status=status)


@dataclass
class World:
    """The tables, a receiver, and a clock that a test moves."""

    database: Database
    receiver: Receiver
    settings: PredictorSettings
    now: datetime = STARTED
    health: Health = field(default_factory=Health)

    @asynccontextmanager
    async def delivering(self, processes: int = 1) -> AsyncIterator[None]:
        """Run the delivery of so many processes."""
        deliveries = [CallbackDelivery(self.database, self.settings, lambda: self.now) for _ in range(processes)]
        running = [asyncio.create_task(each.run(self.health)) for each in deliveries]
        try:
            yield
        finally:
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def fold(self, *events: Event) -> None:
        async with self.database.transaction() as transaction:
            for event in events:
                await OF_TOPIC[type(event)].apply(event, transaction)

    async def batch(self, requested_by: str = "shop", url: str | None = None) -> UUID:
        """Fold a batch of two, of which one is answered and the other is not yet."""
        batch_id = uuid4()
        of_batch = {"batch_id": batch_id, "batch_size": 2}
        asked = {**of_batch, "callback_url": url or self.receiver.url, "requested_by": requested_by}
        await self.fold(
            *(prediction_requested(**asked, index=index) for index in range(2)), prediction_completed(**of_batch)
        )
        return batch_id

    async def finish(self, batch_id: UUID, at: datetime = STARTED) -> None:
        refusal = BatchRefusal(error="empty", detail="The file is empty.")
        of_batch = {"batch_id": batch_id, "batch_size": 2, "index": 1}
        await self.fold(prediction_completed(**of_batch, refusal=refusal, occurred_at=at))

    async def state(self, batch_id: UUID) -> tuple[int, bool, bool]:
        """Return failures, whether it was delivered, and whether it was given up."""
        row = await self.database.fetchrow("SELECT * FROM callbacks WHERE batch_id = $1", batch_id)
        return (
            (0, False, False)
            if row is None
            else (row["failures"], row["delivered_at"] is not None, row["given_up_at"] is not None)
        )

    async def is_state(self, batch_id: UUID, failures: int, delivered: bool, given_up: bool) -> bool:
        return await self.state(batch_id) == (failures, delivered, given_up)


@asynccontextmanager
async def serving(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Answer on a port of this machine; yield host and port."""
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def world(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(callbacks, "LOOK_EVERY_SECONDS", 0.02)
    receiver = Receiver()
    async with (
        serving(receiver.take) as host,
        fresh_schema(servers.database_url("postgres"), MIGRATIONS) as schema,
        schema.open() as database,
    ):
        receiver.url = f"http://{host}/hook"
        settings = PredictorSettings(callback_secret=SecretStr(MASTER), callback_hosts=(host,), callback_tries=3)
        yield World(database, receiver, settings)


async def test_a_finished_batch_is_told_once_with_a_valid_signature(world: World) -> None:
    batch_id = await world.batch()
    other = await world.batch(requested_by="garden")
    async with world.delivering(processes=2):
        await world.finish(other)
        await eventually(lambda: len(world.receiver.taken) == 1)
        await world.finish(batch_id)
        await eventually(lambda: world.is_state(batch_id, 0, delivered=True, given_up=False))
    assert len(world.receiver.taken) == 2
    for (headers, body), asker, told in zip(world.receiver.taken, ("garden", "shop"), (other, batch_id), strict=True):
        said = json.loads(body)
        assert said["type"] == "batch.finished"
        assert said["data"] == {
            "batch_id": str(told),
            "size": 2,
            "answered": 1,
            "refused": 1,
            "batch": f"/batches/{told}",
        }
        at = int(headers["webhook-timestamp"])
        secret = callback_secret(MASTER, asker)
        assert headers["webhook-signature"] == sign(secret, headers["webhook-id"], at, body)


async def test_a_failure_is_tried_again_later_with_the_same_id_after_a_restart(world: World) -> None:
    batch_id = await world.batch()
    await world.finish(batch_id)
    world.receiver.statuses = [500, 500]
    async with world.delivering():
        await eventually(lambda: world.is_state(batch_id, 1, delivered=False, given_up=False))
    world.now += timedelta(seconds=2)
    async with world.delivering():
        await eventually(lambda: world.is_state(batch_id, 2, delivered=False, given_up=False))
        assert world.receiver.refused == 2
        world.now += timedelta(seconds=5)
        await eventually(lambda: world.is_state(batch_id, 2, delivered=True, given_up=False))
    assert len(world.receiver.taken) == 1


async def test_a_receiver_that_keeps_silent_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "AT_ONCE", 3)
    monkeypatch.setattr(callbacks, "OF_RECEIVER", 2, raising=False)
    over = asyncio.Event()

    async def keep_silent(_request: web.BaseRequest) -> web.StreamResponse:
        await over.wait()
        return web.Response(status=503)

    async with serving(keep_silent) as host:
        world.settings = world.settings.model_copy(update={"callback_hosts": (*world.settings.callback_hosts, host)})
        for number in range(4):
            await world.finish(await world.batch(url=f"http://{host}/{number}"))
        batch_id = await world.batch()
        await world.finish(batch_id, STARTED + timedelta(seconds=1))
        async with world.delivering():
            await eventually(lambda: world.is_state(batch_id, 0, delivered=True, given_up=False), 5)
            assert await world.database.fetchval("SELECT count(*) FROM callbacks") == 1, "the others are under way"
        over.set()


async def test_what_is_answered_of_a_batch_that_waits_is_not_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be counted each second until the batch is finished."""
    batch_id, plans, fetch = await world.batch(), list[str](), world.database.fetch

    async def explain(sql: str, *args: object) -> list[Row]:
        plans.append("\n".join(row[0] for row in await fetch(f"EXPLAIN (ANALYZE) {sql}", *args)))
        return []

    monkeypatch.setattr(world.database, "fetch", explain)
    await due_callbacks(world.database, world.now, 10, 10)
    await world.finish(batch_id)
    await due_callbacks(world.database, world.now, 10, 10)
    assert ["never executed" in plan for plan in plans] == [True, False]


async def test_an_outage_of_postgresql_ends_no_delivery(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id, asked = await world.batch(), list[int]()
    await world.finish(batch_id)

    async def away_at_first(database: Database, now: datetime, limit: int, of_receiver: int) -> list[DueCallback]:
        asked.append(limit)
        if len(asked) == 1:
            raise TransientError("PostgreSQL is away.")
        return await due_callbacks(database, now, limit, of_receiver)

    monkeypatch.setattr(callbacks, "due_callbacks", away_at_first)
    async with world.delivering():
        await eventually(lambda: world.is_state(batch_id, 0, delivered=True, given_up=False))
        assert world.health.ok
    assert len(world.receiver.taken) == 1


@pytest.mark.parametrize(("statuses", "failures"), [([500] * 9, 3), ([GONE], 1)])
async def test_an_address_that_stays_dead_or_is_gone_is_given_up(
    world: World, statuses: list[int], failures: int
) -> None:
    batch_id = await world.batch()
    await world.finish(batch_id)
    world.receiver.statuses = statuses

    async def given_up() -> bool:
        world.now += timedelta(seconds=10)
        return await world.is_state(batch_id, failures, delivered=False, given_up=True)

    async with world.delivering():
        await eventually(given_up)
    assert world.receiver.taken == []


async def test_a_name_that_stands_for_a_private_address_is_told_nothing(world: World) -> None:
    port = world.receiver.url.rpartition(":")[2]
    batch_id = await world.batch(url=f"http://localhost:{port}")
    await world.finish(batch_id)
    async with world.delivering():
        await eventually(lambda: world.is_state(batch_id, 1, delivered=False, given_up=True))
    assert (world.receiver.taken, world.receiver.refused) == ([], 0)
