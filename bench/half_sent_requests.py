"""What strangers who hold connections or guess passwords cost others, on a running stack that has a model.

    python -m bench.half_sent_requests --state .pappus

Measures /predict and a right login alone, then while 128 uploads are half sent, while 300 heads are half sent, and
while 150 wrong logins come at once, and prints each ratio of the medians.
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx2

from pappus.demo.drawing import DRAWN_LABELS, draw
from pappus.stack import Stack
from pappus.stack.folders import StateFolder
from pappus.stack_client import RunningStack

UPLOADS, HEADS, LOGINS = 128, 300, 150
ROUNDS, GUESSES = 20, 3
Strain = AbstractAsyncContextManager[object]
HALF_BODY = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=abc\r\n"
    b"Content-Length: 1000000\r\n\r\nabc"
)
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "


@asynccontextmanager
async def held(url: str, count: int, sent: bytes) -> AsyncIterator[None]:
    """Hold `count` connections that sent these bytes and say nothing more."""
    target = urlsplit(url)
    async with AsyncExitStack() as stack:
        for _ in range(count):
            _, writer = await asyncio.open_connection(target.hostname, target.port)
            stack.callback(writer.close)
            writer.write(sent)
            await writer.drain()
        yield


@asynccontextmanager
async def guessing(client: httpx2.AsyncClient, url: str, count: int, name: str) -> AsyncIterator[list[int]]:
    """Let `count` wrong logins come at once; the list has the status of each at the end."""
    statuses: list[int] = []

    async def guess(number: int) -> None:
        answer = await client.post(f"{url}/login", json={"name": name, "password": f"wrong {number}"})
        statuses.append(answer.status_code)

    tasks = [asyncio.create_task(guess(number)) for number in range(count)]
    await asyncio.sleep(0)
    yield statuses
    await asyncio.gather(*tasks)


async def seconds(ask: Callable[[], Awaitable[httpx2.Response]], rounds: int) -> float:
    """Return the median time of an answer, which must be 200."""
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        (await ask()).raise_for_status()
        spent.append(time.perf_counter() - start)
    return median(spent)


async def measure(state: Path) -> None:
    """Run the cases and print the figures."""
    stack, credentials = RunningStack.find(StateFolder.at(state)), Stack(state).credentials()
    picture = draw(DRAWN_LABELS[0], 1, 1)
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as client, httpx2.AsyncClient(timeout=60) as strangers:

        async def predict() -> httpx2.Response:
            headers = {"Authorization": f"Bearer {stack.predictor_key}"}
            return await client.post(f"{stack.predictor}/predict", files={"file": ("a.jpg", picture)}, headers=headers)

        async def log_in() -> httpx2.Response:
            body = {"name": "operator", "password": credentials.users["operator"]}
            return await client.post(f"{stack.labeler}/login", json=body)

        async def compare(case: str, ask: Callable[[], Awaitable[httpx2.Response]], strain: Strain) -> None:
            alone = await seconds(ask, ROUNDS)  # just before, for the machine may do something else a minute later
            async with strain:
                spent = await seconds(ask, ROUNDS)
            print(f"{case}: {alone * 1000:.1f} ms alone, {spent * 1000:.1f} ms meanwhile, ratio {spent / alone:.2f}")

        await compare(f"/predict, {UPLOADS} half-sent uploads", predict, held(stack.predictor, UPLOADS, HALF_BODY))
        await compare(f"/predict, {HEADS} half-sent heads", predict, held(stack.predictor, HEADS, HALF_HEAD))
        await compare(f"/login, {HEADS} half-sent heads", log_in, held(stack.labeler, HEADS, HALF_HEAD))
        for name in ("a stranger", "operator"):
            alone, times, statuses = await seconds(log_in, ROUNDS), [], Counter[int]()
            for _ in range(GUESSES):
                async with guessing(strangers, stack.labeler, LOGINS, name) as found:
                    times.append(await seconds(log_in, 1))
                statuses.update(found)
            print(
                f"/login, {LOGINS} wrong logins as {name}: {alone * 1000:.1f} ms alone, {median(times) * 1000:.1f} ms"
                f" meanwhile, ratio {median(times) / alone:.2f}; the wrong ones: {dict(statuses)}"
            )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".pappus"))
    asyncio.run(measure(parser.parse_args().state))


if __name__ == "__main__":
    main()
