"""Whose answer is computed next, and who is told at once that it would come too late.

A quick answer is computed on the event loop, which does nothing else meanwhile. Without turns the loop computes one for
every request that it has read before it looks at its sockets again: with many clients new connections, probes and half
of the requests wait for seconds without being seen. So there is one turn at a time, and between two of them the loop
reads what has come. Waiting requests are known then: clients take turns, however many requests one of them sends, and a
request whose turn would come too late is refused when it comes, not after it has waited.
"""

import asyncio
import time
from collections import OrderedDict, deque
from types import TracebackType

from services.predictor.metrics import IN_FLIGHT
from shared.http.problems import Problem

FIRST_GUESS_SECONDS = 0.002
"""What a turn is taken to last before any was measured."""
TURNS_OF_SLOW_MODELS = 4
"""A wait for so many turns is never too long: a model whose answer takes 0.1 s needs a short queue, too."""
SMOOTHING = 0.05
"""The share of the newest turn in the average of turns."""


def overloaded() -> Problem:
    """Return the problem of a request for which there is no time or room now. Its connection closes: a client that
    heeds no Retry-After would be refused again at once, on and on, and refusals would take the processor from
    answers. New connections are accepted one between two turns."""
    detail = "Too many predictions at once. Ask again in a moment."
    return Problem(503, "overloaded", detail, headers={"Connection": "close"}, retry_after_seconds=1)


class Turn:
    """The right to compute, and a place among the requests that are answered; both end with the `with` block."""

    def __init__(self, turns: "Turns") -> None:
        self._turns = turns
        self._began = time.perf_counter()
        self._left = False

    def leave(self) -> None:
        """Let the next one compute: this request goes on elsewhere, in a thread or another process."""
        if not self._left:
            self._left = True
            self._turns.end(time.perf_counter() - self._began)

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.leave()
        self._turns.forget()


class Turns:
    """Gives turns: one at a time, to the clients one after another, to the requests of a client in their order."""

    def __init__(self, longest_wait_seconds: float, in_flight_limit: int) -> None:
        """`in_flight_limit`: how many requests are answered at once, most of them elsewhere."""
        self._longest_wait_seconds = longest_wait_seconds
        self._in_flight_limit = in_flight_limit
        self._in_flight = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._count = 0
        self._taken = False
        self._seconds = FIRST_GUESS_SECONDS

    @property
    def busy(self) -> bool:
        """Whether a request has its turn, or waits for one."""
        return self._taken or self._count > 0

    async def take(self, client: str, arrived: float | None = None, *, begun: bool = False) -> Turn:
        """Wait for a turn of this client. `arrived`: when all of the request was there (`time.monotonic`), None: now.
        `begun`: the request had a turn before, so it is not refused any more.

        Raises:
            Problem: 503 if the turn would come too late, or does, or while too many requests are in flight.
        """
        since = time.monotonic() if arrived is None else arrived
        if not begun:
            self._check(client, since)
        self._in_flight += 1
        IN_FLIGHT.inc()
        try:
            if self._taken:
                await self._wait(client)
                if not begun and time.monotonic() - since > self._longest_wait():  # turns last longer than before
                    self._pass_on()
                    raise overloaded()
            self._taken = True
        except BaseException:
            self.forget()
            raise
        return Turn(self)

    def expect(self, seconds: float) -> None:
        """Take a turn to last so long at least: what the model in service needs for an answer."""
        self._seconds = max(self._seconds, seconds)

    def end(self, seconds: float) -> None:
        """Give the turn to the next one, after the loop has looked at its sockets."""
        # One turn during which the process stood still must not make all who come look late.
        self._seconds += SMOOTHING * (min(seconds, 2 * self._seconds) - self._seconds)
        asyncio.get_running_loop().call_soon(self._pass_on)

    def forget(self) -> None:
        """Count a request no more: it was answered, or left."""
        self._in_flight -= 1
        IN_FLIGHT.dec()

    def _check(self, client: str, since: float) -> None:
        """Raise Problem if a turn of this client would come too late, or too many requests are answered elsewhere."""
        own = len(self._waiting.get(client, ()))
        before = min(self._count, (own + 1) * len(self._waiting)) + self._taken
        late = time.monotonic() - since + before * self._seconds > self._longest_wait()
        if late or self._in_flight - self._count >= self._in_flight_limit:
            raise overloaded()

    def _longest_wait(self) -> float:
        return max(self._longest_wait_seconds, TURNS_OF_SLOW_MODELS * self._seconds)

    async def _wait(self, client: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._count += 1
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._remove(client, turn)
            else:  # the turn was given, and is not used
                self._pass_on()
            raise

    def _remove(self, client: str, turn: "asyncio.Future[None]") -> None:
        """Take back a request that has left, if it was not passed over already."""
        turns = self._waiting.get(client, deque())
        if turn in turns:
            turns.remove(turn)
            self._count -= 1
        if not turns:
            self._waiting.pop(client, None)

    def _pass_on(self) -> None:
        while self._waiting:
            client, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            self._count -= 1
            if turns:
                self._waiting.move_to_end(client)
            else:
                del self._waiting[client]
            if not turn.done():  # who has left is passed over
                turn.set_result(None)
                return
        self._taken = False
