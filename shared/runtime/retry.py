"""How often and when to retry. `delay` computes the wait; `retrying` applies it to a call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.runtime.errors import TransientError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits grow from `first_seconds` by `factor` up to `longest_seconds`. `attempts` counts the first call too; None
    means no limit."""

    first_seconds: float = 0.2
    factor: float = 2.0
    longest_seconds: float = 10.0
    attempts: int | None = 8

    def __post_init__(self) -> None:
        if self.first_seconds <= 0 or self.factor < 1 or self.longest_seconds < self.first_seconds:
            raise ValueError(
                f"{self} does not grow: use first_seconds > 0, factor >= 1, longest_seconds >= first_seconds."
            )
        if self.attempts is not None and self.attempts < 1:
            raise ValueError(f"{self} never calls anything: use attempts >= 1, or None for no end.")


UNTIL_CANCELLED = RetryPolicy(attempts=None)


def delay(policy: RetryPolicy, attempt: int) -> float | None:
    """Return the seconds to wait after failed attempt number `attempt` (counted from 1), or None to give up."""
    if attempt < 1:
        raise ValueError(f"Attempts are counted from 1, not {attempt}.")
    if policy.attempts is not None and attempt >= policy.attempts:
        return None
    growth = min(attempt - 1, 64)  # more than enough to reach any longest_seconds, and never an overflow
    return float(min(policy.first_seconds * policy.factor**growth, policy.longest_seconds))


async def retrying(
    policy: RetryPolicy,
    call: Callable[[], Awaitable[T]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    failed: Callable[[TransientError, int], None] = lambda _error, _attempt: None,
) -> T:
    """Await `call`, and retry it after each TransientError by `policy`; `failed` is called with each error.

    Raises:
        TransientError: the last one, when the policy gives up. Any other exception passes at once.
    """
    attempt = 1
    while True:
        try:
            return await call()
        except TransientError as error:
            failed(error, attempt)
            seconds = delay(policy, attempt)
            if seconds is None:
                raise
        await sleep(seconds)
        attempt += 1
