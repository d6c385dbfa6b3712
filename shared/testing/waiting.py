"""Waiting in tests: for a condition, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(question: Callable[[], Awaitable[T]], timeout_seconds: float = 20.0) -> T: ...
@overload
async def eventually(question: Callable[[], T], timeout_seconds: float = 20.0) -> T: ...
async def eventually(question: Callable[[], T | Awaitable[T]], timeout_seconds: float = 20.0) -> T:
    """Return the first true answer to `question`, which may be a coroutine function.

    Raises:
        AssertionError: no answer was true in time; the text has the last one.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    while True:
        found = question()
        answer = await found if isawaitable(found) else found
        if answer:
            return answer
        if loop.time() > deadline:
            raise AssertionError(f"After {timeout_seconds:g} s the answer is still {answer!r}.")
        await asyncio.sleep(0.005)
