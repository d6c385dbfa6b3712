"""Predictions that are asked for evenly beside what is measured."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shared.clients.api import AsyncApi
from shared.clients.predictor import predict
from shared.runtime.errors import PappusError


@asynccontextmanager
async def steady_predictions(predictor: AsyncApi, images: Sequence[bytes], a_second: int) -> AsyncIterator[None]:
    """Ask for so many predictions a second, each at its time and whether or not those before are answered; 0: for none.
    At the end print how many were answered."""
    answered, failed, started = list[float](), list[str](), time.monotonic()

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, started + number / a_second - time.monotonic()))
        asked = time.perf_counter()
        try:
            await predictor.send(predict(images[number % len(images)]))
        except PappusError as error:
            failed.append(str(error))
        else:
            answered.append(time.perf_counter() - asked)

    async def ask() -> None:
        number = 0
        async with asyncio.TaskGroup() as asking:
            while True:  # a second ahead: each waits for its time itself
                for _ in range(a_second):
                    asking.create_task(one(number))
                    number += 1
                await asyncio.sleep(max(0.0, started + number / a_second - 1 - time.monotonic()))

    task = asyncio.create_task(ask()) if a_second else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            seconds = time.monotonic() - started
            print(f"beside {len(answered) / seconds:.0f} predictions a second; failed: {len(failed)} {failed[:3]}")
