"""Many awaited calls, some at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def map_bounded(function: Callable[[T], Awaitable[R]], items: Collection[T], at_once: int) -> list[R]:
    """Return what `function` gives for each item, in their order, with at most `at_once` calls at a time.

    There are only so many tasks, however many items: a task for each of 30,000 keeps an event loop busy for seconds, in
    which the process answers nothing. The first exception ends the other calls and is raised.
    """
    turns, results = iter(enumerate(items)), dict[int, R]()

    async def work() -> None:
        for index, item in turns:
            results[index] = await function(item)

    workers = [asyncio.create_task(work()) for _ in range(min(at_once, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[index] for index in range(len(items))]
