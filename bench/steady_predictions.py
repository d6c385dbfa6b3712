"""Predictions that are asked for evenly beside what is measured, by a process of their own."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median, quantiles
from urllib.parse import urlsplit

import httpx2

from shared.clients.predictor import predict

CONNECTIONS = 16
TIMEOUT_SECONDS = 30.0
LATEST_SECONDS = 0.25
"""A prediction that finds all connections waiting for so long is left out: it is counted, and those after it are asked
at their time."""


@dataclass(slots=True)
class Asked:
    """What became of the predictions. `seconds`: how long each answer took."""

    seconds: list[float]
    failed: list[str]
    left_out: int = 0


@asynccontextmanager
async def steady_predictions(address: str, images: Sequence[bytes], a_second: int) -> AsyncIterator[None]:
    """Ask the predictor at this address for so many predictions a second, each at its time; 0: for none. At the end
    print how many were answered."""
    if not a_second:
        yield
        return
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_ask, args=(address, list(images), a_second, theirs))
    process.start()
    started = time.monotonic()
    try:
        yield
    finally:
        ours.send("stop")
        seconds = time.monotonic() - started
        asked: Asked = await asyncio.to_thread(ours.recv)
        await asyncio.to_thread(process.join)
        answered = f"{len(asked.seconds) / seconds:.0f} predictions a second of {a_second}, {_times(asked.seconds)}"
        print(f"beside {answered}; left out: {asked.left_out}, failed: {len(asked.failed)} {asked.failed[:3]}")


def _times(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "no times"
    return f"p50 {median(seconds) * 1000:.0f} ms, p95 {quantiles(seconds, n=20)[-1] * 1000:.0f} ms"


def _ask(address: str, images: list[bytes], a_second: int, answers: Connection) -> None:
    """Ask until a message comes, then send what was asked."""
    asked, stop, numbers, started = Asked([], []), threading.Event(), count(), time.monotonic()
    with httpx2.Client(base_url=address) as client:
        requests = [_prepared(client, data) for data in images]
    url = urlsplit(address)

    def ask_in_turn() -> None:
        connection = HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_SECONDS)
        while not stop.is_set():
            number = next(numbers)
            wait = started + number / a_second - time.monotonic()
            if wait < -LATEST_SECONDS:
                asked.left_out += 1
                continue
            time.sleep(max(0.0, wait))
            path, body, headers = requests[number % len(requests)]
            since = time.perf_counter()
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, HTTPException) as error:
                asked.failed.append(repr(error))
                connection.close()
            else:
                if answer.status == 200:
                    asked.seconds.append(time.perf_counter() - since)
                else:
                    asked.failed.append(f"{answer.status}: {text[:200]!r}")

    threads = [threading.Thread(target=ask_in_turn) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    answers.recv()
    stop.set()
    for thread in threads:
        thread.join()
    answers.send(asked)


def _prepared(client: httpx2.Client, data: bytes) -> tuple[str, bytes, dict[str, str]]:
    """Return the path, the body and the headers of one prediction, made once."""
    wanted = predict(data)
    request = client.build_request(wanted.method, wanted.path, **wanted.options())
    return request.url.path, request.read(), {"content-type": request.headers["content-type"]}
