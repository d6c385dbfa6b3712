"""Calls in a thread keep their place until they end."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from shared.runtime.threads import call_holding
from shared.testing import eventually


class WaitingCall:
    """WaitingCall in threads, which ends when it may. Counts how many are at it, and how many were at most."""

    def __init__(self) -> None:
        self.inside = self.most = self.done = 0
        self.may_end = threading.Event()
        self._counting = threading.Lock()

    def do(self, number: int) -> int:
        with self._counting:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.may_end.wait(30)
        with self._counting:
            self.inside -= 1
            self.done += 1
        if number < 0:
            raise ValueError(number)
        return number


@pytest.fixture
async def work() -> AsyncIterator[WaitingCall]:
    made = WaitingCall()
    yield made
    made.may_end.set()


async def test_results_and_exceptions_reach_the_caller_and_free_the_place(work: WaitingCall) -> None:
    lock = asyncio.Lock()
    work.may_end.set()
    assert await call_holding(lock, work.do, 1) == 1
    with pytest.raises(ValueError, match="-2"):
        await call_holding(lock, work.do, -2)
    assert await call_holding(lock, work.do, 3) == 3
    assert not lock.locked()


@pytest.mark.parametrize("number", [1, -1], ids=["ends well", "ends with an exception"])
async def test_the_place_of_a_caller_that_left_is_held_until_the_thread_ends(work: WaitingCall, number: int) -> None:
    limit = asyncio.Semaphore(1)
    first = asyncio.create_task(call_holding(limit, work.do, number))
    await eventually(lambda: work.inside == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(call_holding(limit, work.do, 2))
    for _ in range(20):  # turns of the loop, in which it could begin
        await asyncio.sleep(0)
    assert limit.locked()
    assert work.done == 0

    work.may_end.set()
    assert await second == 2
    assert (work.most, work.done) == (1, 2)
    assert not limit.locked()


async def test_a_caller_that_leaves_before_its_turn_has_nothing_done(work: WaitingCall) -> None:
    lock = asyncio.Lock()
    first, second = (asyncio.create_task(call_holding(lock, work.do, number)) for number in (1, 2))
    await eventually(lambda: work.inside == 1)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    work.may_end.set()
    assert await first == 1
    assert work.done == 1
    assert not lock.locked()
