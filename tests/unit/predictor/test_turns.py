"""Whose answer is computed next."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.predictor.api.turns import Turn, Turns
from shared.http.problems import Problem


@pytest.fixture
def turns() -> Turns:
    return Turns(longest_wait_seconds=60.0, in_flight_limit=3)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def asker(turns: Turns, order: list[str]) -> Callable[[str], "asyncio.Task[None]"]:
    """Return a function that starts a request, which writes its name down when it has its turn."""

    async def ask(name: str) -> None:
        with await turns.take(name[0]):
            order.append(name)

    return lambda name: asyncio.create_task(ask(name))


async def test_one_at_a_time_and_clients_one_after_another(turns: Turns) -> None:
    order: list[str] = []
    ask = asker(turns, order)
    with await turns.take("z"):
        tasks = [ask(name) for name in ("a1", "a2", "a3", "b1", "a4", "c1", "b2")]
        await settle()
        assert order == []
    await asyncio.gather(*tasks)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


async def test_between_two_turns_the_loop_does_what_else_there_is(turns: Turns) -> None:
    order: list[str] = []
    ask = asker(turns, order)
    tasks = [ask(name) for name in ("a1", "a2", "a3")]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        order.append("-")
    places = [order.index(name) for name in ("a1", "a2", "a3")]
    assert "-" in order[places[0] : places[1]]
    assert "-" in order[places[1] : places[2]]


async def test_who_goes_on_elsewhere_lets_the_next_one_compute(turns: Turns) -> None:
    with await turns.take("a") as first:
        first.leave()
        with await asyncio.wait_for(turns.take("b"), 10):
            pass


async def test_who_leaves_while_waiting_is_left_out(turns: Turns) -> None:
    order: list[str] = []
    ask = asker(turns, order)
    with await turns.take("z"):
        tasks = [ask(name) for name in ("a1", "b1", "a2")]
        await settle()
        tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["a2", "b1"]


async def test_a_turn_that_is_given_to_who_has_left_is_passed_on(turns: Turns) -> None:
    order: list[str] = []
    ask = asker(turns, order)
    first = await turns.take("z")
    leaving, staying = ask("a1"), ask("b1")
    await settle()
    first.__exit__(None, None, None)
    await asyncio.sleep(0)  # the turn is given, and not yet begun
    leaving.cancel()
    await asyncio.gather(leaving, staying, return_exceptions=True)
    assert order == ["b1"]
    with await asyncio.wait_for(turns.take("c"), 10):
        pass


async def refused(turn: Awaitable[Turn]) -> bool:
    try:
        with await asyncio.wait_for(turn, 10):
            return False
    except Problem as problem:
        return (problem.status_code, problem.error, problem.headers) == (
            503,
            "overloaded",
            {"Retry-After": "1", "Connection": "close"},
        )


async def test_a_turn_that_would_come_too_late_is_refused_to_its_client_alone() -> None:
    turns = Turns(longest_wait_seconds=1.0, in_flight_limit=100)
    order: list[str] = []
    ask = asker(turns, order)
    with await turns.take("z"):
        turns._seconds = 0.095  # what turns have lasted
        tasks = [ask(f"a{number}") for number in range(10)]
        await settle()
        assert await refused(turns.take("a"))
        other = ask("b1")
        await settle()
        assert not other.done()
    await asyncio.gather(*tasks, other)
    assert order[:2] == ["a0", "b1"]
    assert len(order) == 11


async def test_what_had_a_turn_is_not_refused_any_more() -> None:
    turns = Turns(longest_wait_seconds=1e-9, in_flight_limit=1)
    with await turns.take("a", begun=True) as turn:
        turn.leave()
        assert await refused(turns.take("a"))
        assert not await refused(turns.take("a", begun=True))
    assert not await refused(turns.take("b", begun=True))


async def test_too_many_that_go_on_elsewhere_are_refused(turns: Turns) -> None:
    held = [await turns.take("a", begun=True)]
    for _ in range(2):
        held[-1].leave()
        held.append(await turns.take("a"))
    held[-1].leave()
    assert await refused(turns.take("b"))
    held.pop().__exit__(None, None, None)
    assert not await refused(turns.take("b"))


async def test_after_one_long_turn_the_next_requests_are_not_taken_for_late() -> None:
    turns = Turns(longest_wait_seconds=0.25, in_flight_limit=100)
    turns.end(1.0)  # a pause of the whole process
    await settle()
    with await turns.take("z"):
        order: list[str] = []
        tasks = [asker(turns, order)("a") for _ in range(64)]
        await settle()
    await asyncio.gather(*tasks)
    assert order == ["a"] * 64


async def test_a_few_wait_for_a_slow_model_however_short_the_longest_wait() -> None:
    turns = Turns(longest_wait_seconds=0.001, in_flight_limit=100)
    turns.expect(60.0)
    order: list[str] = []
    with await turns.take("z"):
        tasks = [asker(turns, order)("a") for _ in range(3)]
        await settle()
        assert not any(task.done() for task in tasks)
        assert await refused(turns.take("a"))
    await asyncio.gather(*tasks)
