"""Calls that come while others are under way, made together: as DataLoader does for questions and group commit for
transactions. A call alone waits for no other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from shared.runtime.errors import TransientError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Answers single items with `function`, which takes up to `most` of them in the order in which they came and
    returns as many results in that order. One call of it is under way at a time: an item waits for that one, and goes
    with the next if no more than `most` wait."""

    def __init__(self, function: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], most: int) -> None:
        self._function = function
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def call(self, item: Item) -> Result:
        """Return the result of this item. A caller that is cancelled disturbs no other one.

        Raises:
            TransientError: raised by the function for this item and those with it.
            Exception: raised by the function for this item alone.
        """
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._working is None:  # a context of its own: what it logs is about no single caller
            self._working = asyncio.get_running_loop().create_task(self._work(), context=Context())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._answer([(item, answer) for item, answer in taken if not answer.done()])
        finally:
            self._working = None
            for _, answer in self._waiting:  # cancelled, at the end of the process
                answer.cancel()
            self._waiting.clear()

    async def _answer(self, taken: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        if not taken:
            return
        try:
            answered = list(zip(taken, await self._function([item for item, _ in taken]), strict=True))
        except asyncio.CancelledError:
            for _, answer in taken:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - raised in the callers
            if len(taken) > 1 and not isinstance(error, TransientError):
                for one in taken:  # one of them is at fault: only its caller may hear of it
                    await self._answer([one])
                return
            for _, answer in taken:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in answered:
            if not answer.done():
                answer.set_result(result)
