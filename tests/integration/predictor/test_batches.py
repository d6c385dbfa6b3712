"""Batches over real Kafka, PostgreSQL and processes: each image is answered once by its id, although the process that
answers is killed."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web

from services.predictor.data.batches import BatchRows
from shared.contract.batches import PredictionCompleted
from shared.testing import eventually
from shared.web.webhooks import sign
from tests.integration.ingestor.running import events_of
from tests.integration.predictor.conftest import World
from tests.unit.predictor.small_model import picture

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]
IMAGES = 400
KILLS = 2


async def serves(world: World) -> bool:
    async with httpx2.AsyncClient() as client:
        model = await client.get(f"{world.api.url}/model")
    return model.status_code == 200 and model.json()["sequence"] == world.sequence


async def send(world: World, files: list[bytes], key: str, callback: str) -> dict[str, object]:
    """Send files as one batch."""
    parts = [("file", (f"{number}.png", data)) for number, data in enumerate(files)]
    fields, headers = {"callback_url": callback}, {"Idempotency-Key": key}
    async with httpx2.AsyncClient(timeout=60) as client:
        response = await client.post(f"{world.api.url}/predictions", files=parts, data=fields, headers=headers)
    assert response.status_code == 202, response.text
    return dict(response.json())


async def answered(world: World, batch_id: UUID) -> int:
    progress = await BatchRows(world.database).find_batch(batch_id)
    return 0 if progress is None else progress.answered + progress.refused


async def completed_on_the_log(world: World, batch_id: UUID) -> Counter[UUID]:
    events = await events_of(world.event_log, PredictionCompleted)
    return Counter(event.prediction_id for event in events if event.batch_id == batch_id)


async def follow(
    url: str, after: str | None = None, most: int | None = None
) -> list[tuple[str | None, dict[str, str]]]:
    """Return the id and the data of each event of a batch behind `after`, at most `most`, until the stream ends."""
    found: list[tuple[str | None, dict[str, str]]] = []
    headers = {} if after is None else {"Last-Event-ID": after}
    async with httpx2.AsyncClient(timeout=60) as client, client.stream("GET", url, headers=headers) as response:
        assert response.status_code == 200
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                found.append((fields.get("id"), json.loads(fields["data"])))
                fields = {}
                if most is not None and len(found) == most:
                    break
    return found


class Told:
    """A program that is told when a batch is finished."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        self.messages.append((dict(request.headers), await request.read()))
        return web.Response(status=204)


@pytest_asyncio.fixture(loop_scope="module")
async def told(world: World) -> AsyncIterator[Told]:
    found = Told()
    runner = web.ServerRunner(web.Server(found.take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", world.callback_port).start()
    found.url = f"http://127.0.0.1:{world.callback_port}/hook"
    yield found
    await runner.cleanup()


async def test_each_image_is_answered_once_although_its_process_is_killed(world: World, told: Told) -> None:
    await world.promote()
    await eventually(lambda: serves(world), 60)
    world.batches.start()
    key, files = str(uuid4()), [picture(number % 256, number // 256, 7) for number in range(IMAGES)]
    batch = await send(world, files, key, told.url)
    batch_id = UUID(str(batch["batch_id"]))
    stream = f"{world.api.url}/batches/{batch_id}/events"
    following = asyncio.create_task(shown_and_followed(world, batch_id, stream))
    try:
        for killed in range(KILLS):
            goal = (killed + 1) * IMAGES // (KILLS + 2)
            await eventually(partial(reached, world, batch_id, goal), 90)
            world.batches.send(signal.SIGKILL)
            await world.batches.ended()
            assert sum((await completed_on_the_log(world, batch_id)).values()) < IMAGES, "it was killed amid its work"
            world.batches.start()
        assert (await send(world, files, key, told.url)) == batch, "a repetition is the same batch"
        await eventually(lambda: reached(world, batch_id, IMAGES), 120)
        events = await following
        await eventually(lambda: bool(told.messages), 60)
    finally:
        following.cancel()
        world.batches.kill()

    ids = [str(each) for each in batch["predictions"]]  # type: ignore[attr-defined]
    assert Counter(data["prediction_id"] for number, data in events if number) == Counter(ids)
    assert len({number for number, _ in events if number}) == IMAGES
    names = [f"{number}.png" for number in range(IMAGES)]
    assert {data["prediction_id"]: data["file_name"] for number, data in events if number} == dict(
        zip(ids, names, strict=True)
    )
    for headers, body in told.messages:
        assert json.loads(body)["data"]["batch_id"] == str(batch_id)
        message_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == sign(str(batch["callback_secret"]), message_id, at, body)
    log = await completed_on_the_log(world, batch_id)
    assert {str(each) for each in log} == set(ids)
    async with httpx2.AsyncClient() as client:
        body = (await client.get(f"{world.api.url}/batches/{batch_id}?limit=1000")).json()
        assert (body["answered"], body["refused"], body["pending"], body["finished"]) == (IMAGES, 0, 0, True)
        assert [each["prediction_id"] for each in body["predictions"]] == ids
        assert [each["file_name"] for each in body["predictions"]] == names
        one = (await client.get(f"{world.api.url}/predictions/{ids[5]}")).json()
        assert (one["state"], one["index"], one["model_version"]) == ("answered", 5, f"fast-{world.sequence}")


async def reached(world: World, batch_id: UUID, goal: int) -> bool:
    return await answered(world, batch_id) >= goal


async def shown_and_followed(world: World, batch_id: UUID, stream: str) -> list[tuple[str | None, dict[str, str]]]:
    """Follow the batch once it is shown; leave after ten events, and go on behind the last of them."""
    await eventually(lambda: known(world, batch_id), 60)
    first = await follow(stream, most=10)
    return [*first, *await follow(stream, first[-1][0])]


async def known(world: World, batch_id: UUID) -> bool:
    async with httpx2.AsyncClient() as client:
        return (await client.get(f"{world.api.url}/batches/{batch_id}")).status_code == 200


async def test_two_copies_share_the_images_and_answer_each_once(world: World, told: Told) -> None:
    copies, replicas = (world.batches, world.second_batches), set[str]()
    if not world.sequence:
        await world.promote()
    for copy in copies:
        copy.start()

    async def both_answered() -> bool:
        files = [picture(number, 9, 9) for number in range(40)]
        batch_id = UUID(str((await send(world, files, str(uuid4()), told.url))["batch_id"]))
        await eventually(partial(reached, world, batch_id, len(files)), 90)
        found = await BatchRows(world.database).list_predictions(batch_id, -1, 100)
        assert [(each.index, each.error) for each in found] == [(index, None) for index in range(len(files))]
        replicas.update(each.replica for each in found if each.replica)
        return len(replicas) == len(copies)

    try:
        await eventually(both_answered, 120)
    finally:
        for copy in copies:
            copy.kill()
