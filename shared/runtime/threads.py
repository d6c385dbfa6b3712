"""Calls in a thread of which only so many may run at once, also when callers leave."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def call_holding(
    limit: asyncio.Lock | asyncio.Semaphore, function: Callable[P, T], *arguments: P.args, **named: P.kwargs
) -> T:
    """Return what a function returns in a thread. It waits for its place in `limit`, and holds it until the thread
    ends, though the caller is cancelled meanwhile: a thread cannot be stopped, and one more would run beside it."""
    await limit.acquire()
    running = asyncio.create_task(asyncio.to_thread(function, *arguments, **named))
    running.add_done_callback(lambda _: limit.release())
    return await asyncio.shield(running)
