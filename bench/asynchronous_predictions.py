"""Batches while the process that answers them is killed, on a running stack: is each image answered once by its id?

    PAPPUS_CALLBACK_HOSTS='["127.0.0.1:28390"]' pappus up
    python -m bench.asynchronous_predictions --state .pappus --images 10000 --kill 3

Pictures that all differ are sent as one batch for each 10,000, with a callback to a receiver of this bench. One client
follows the server-sent events of each batch to their end, and resumes with the last id when a stream breaks off. In
equal parts of the way the process predictor-batches is ended with kill -9 so many times; the supervisor starts it
again. Prints how many were answered or refused once, twice and never, by ids as they were promised by the 202, how many
a second, and what became of the callbacks.
"""

import argparse
import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import numpy as np
from aiohttp import web
from PIL import Image

from pappus.stack.folders import StateFolder
from pappus.stack.status import ComponentState, read_status
from pappus.stack_client import RunningStack
from shared.contract.batches import MOST_IMAGES
from shared.testing import eventually
from shared.web.webhooks import sign

SERVICE = "predictor-batches"
SIDE = 64
LONGEST_SECONDS = 1800.0
CALLBACK_SECONDS = 60.0


@dataclass
class Batch:
    """A batch that was accepted, and what was heard of it. `outcomes`: the states heard, by prediction."""

    batch_id: UUID
    promised: list[str]
    secret: str | None
    outcomes: dict[str, list[str]] = field(default_factory=dict)
    last_id: str | None = None
    finished: bool = False


@dataclass
class Receiver:
    """Takes callbacks. `taken`: the batches that were told with a valid signature."""

    secrets: dict[str, str] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    invalid: int = 0

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """Count a message."""
        body = await request.read()
        batch_id = json.loads(body)["data"]["batch_id"]
        message_id, at = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        expected = sign(self.secrets.get(batch_id, ""), message_id, at, body)
        if request.headers["webhook-signature"] == expected:
            self.taken[batch_id] += 1
        else:
            self.invalid += 1
        return web.Response(status=204)


def pictures(count: int) -> Iterator[bytes]:
    """Yield so many JPEGs, no two alike."""
    noise = np.random.default_rng()
    for _ in range(count):
        buffer = BytesIO()
        Image.fromarray(noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(buffer, "JPEG", quality=70)
        yield buffer.getvalue()


async def send(http: httpx2.AsyncClient, count: int, callback: str | None) -> Batch:
    """Send a batch; again with the same key if it was not accepted. Without a right to callbacks there is none."""
    files = [("file", (f"{number}.jpg", data)) for number, data in enumerate(pictures(count))]
    headers = {"Idempotency-Key": str(uuid4())}
    while True:
        data = {} if callback is None else {"callback_url": callback}
        response = await http.post("/predictions", files=files, data=data, headers=headers)
        if response.status_code == 202:
            body = response.json()
            return Batch(UUID(body["batch_id"]), body["predictions"], body["callback_secret"])
        if response.status_code == 422 and callback is not None:
            print(f"without callbacks: {response.json()['detail']}")
            callback = None
        elif response.status_code != 503:
            raise SystemExit(f"POST /predictions answered {response.status_code}: {response.text}")
        await asyncio.sleep(int(response.headers.get("retry-after", "0")))


async def follow(http: httpx2.AsyncClient, batch: Batch) -> None:
    """Read the events of a batch to their end, over as many streams as it takes."""
    while not batch.finished:
        headers = {} if batch.last_id is None else {"Last-Event-ID": batch.last_id}
        try:
            async with http.stream("GET", f"/batches/{batch.batch_id}/events", headers=headers) as response:
                if response.status_code == 200:
                    await _read(response, batch)
        except httpx2.TransportError:
            pass
        await asyncio.sleep(0 if batch.finished else 0.5)


async def _read(response: httpx2.Response, batch: Batch) -> None:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        if fields.get("event") == "prediction":
            body = json.loads(fields["data"])
            batch.outcomes.setdefault(body["prediction_id"], []).append(body["state"])
            batch.last_id = fields["id"]
        batch.finished |= fields.get("event") == "finished"
        fields = {}


async def kill(state: StateFolder, batches: list[Batch], images: int, times: int) -> int:
    """End the process that answers so many times, in equal parts of the way; return how often it was."""
    killed = 0

    def done() -> int:
        return sum(len(batch.outcomes) for batch in batches)

    for number in range(times):
        goal = images * (number + 1) // (times + 1)
        await eventually(partial(_has_come, done, goal), LONGEST_SECONDS)
        await eventually(lambda: _pid(state) is not None, LONGEST_SECONDS)
        pid = _pid(state)
        if pid is None:
            continue
        os.kill(pid, signal.SIGKILL)
        killed += 1
        print(f"kill -9 of {SERVICE} (process {pid}) after {done():,} of {images:,}")
    return killed


def _has_come(done: Callable[[], int], goal: int) -> bool:
    return done() >= goal


def _pid(state: StateFolder) -> int | None:
    """Return the process that answers, None while there is none that is ready."""
    component = read_status(state).component(SERVICE)
    return component.process.pid if component.process and component.state == ComponentState.READY else None


async def measure(folder: Path, images: int, kills: int, port: int) -> None:
    """Run it, and print the figures. Raises SystemExit if an image was answered never or twice."""
    state, receiver = StateFolder.at(folder), Receiver()
    stack = RunningStack.find(state)
    runner = web.ServerRunner(web.Server(receiver.take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    headers = {"Authorization": f"Bearer {stack.predictor_key}"}
    async with httpx2.AsyncClient(base_url=stack.predictor, headers=headers, timeout=120) as http:
        began, batches = time.perf_counter(), list[Batch]()
        for start in range(0, images, MOST_IMAGES):
            batch = await send(http, min(MOST_IMAGES, images - start), f"http://127.0.0.1:{port}/hook")
            batches.append(batch)
            receiver.secrets[str(batch.batch_id)] = batch.secret or ""
        accepted = time.perf_counter() - began
        killing = asyncio.create_task(kill(state, batches, images, kills))
        async with asyncio.timeout(LONGEST_SECONDS):
            await asyncio.gather(*(follow(http, batch) for batch in batches))
        seconds = time.perf_counter() - began
        killing.cancel()
        [killed] = await asyncio.gather(killing, return_exceptions=True)
        expected = sum(batch.secret is not None for batch in batches)
        with suppress(AssertionError, TimeoutError):
            await eventually(lambda: len(receiver.taken) >= expected, CALLBACK_SECONDS)
    await runner.cleanup()
    report(batches, receiver, expected)
    print(
        f"{images / seconds:.0f} a second from the first request to the last event ({seconds:.1f} s), accepted in",
        end="",
    )
    print(f" {accepted:.1f} s; kills: {killed if isinstance(killed, int) else 'not all'} of {kills}")
    heard = [Counter(map(len, batch.outcomes.values())) for batch in batches]
    if any(set(each) != {1} or each[1] != len(batch.promised) for each, batch in zip(heard, batches, strict=True)):
        raise SystemExit(1)


def report(batches: list[Batch], receiver: Receiver, expected: int) -> None:
    """Print what was heard of each promised id."""
    promised = [each for batch in batches for each in batch.promised]
    outcomes = {key: states for batch in batches for key, states in batch.outcomes.items()}
    once = [outcomes[each][0] for each in promised if len(outcomes.get(each, ())) == 1]
    missing = sum(each not in outcomes for each in promised)
    twice = sum(len(states) > 1 for states in outcomes.values())
    foreign = len(outcomes.keys() - set(promised))
    print(f"images: {len(promised):,}; once by id: {len(once):,} {dict(Counter(once))}; missing: {missing};", end="")
    print(f" twice: {twice}; ids that were not promised: {foreign}")
    again, told = sum(count - 1 for count in receiver.taken.values()), len(receiver.taken)
    print(f"callbacks: {told} of {expected} told, {again} of them again, invalid signatures: {receiver.invalid}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path(".pappus"))
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--kill", type=int, default=3)
    parser.add_argument("--callback-port", type=int, default=28390)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.state, arguments.images, arguments.kill, arguments.callback_port))
