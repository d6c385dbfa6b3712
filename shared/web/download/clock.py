"""The time of one download: a limit that stands still while the download waits for something that is not its host."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

_running: ContextVar[asyncio.Timeout | None] = ContextVar("_running", default=None)


@asynccontextmanager
async def limited(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """Raise TimeoutError in the body after `seconds`, not counting what lies in `paused`."""
    async with asyncio.timeout(seconds) as limit:
        before = _running.set(limit)
        try:
            yield limit
        finally:
            _running.reset(before)


def seconds_left(limit: asyncio.Timeout) -> float:
    """Return what is left of a limit, not below 0."""
    when = limit.when()
    return 0.0 if when is None else max(0.0, when - asyncio.get_running_loop().time())


@contextmanager
def paused() -> Iterator[None]:
    """Let the limit of the download that runs here stand still. Without a limit: nothing."""
    limit = _running.get()
    if limit is None or limit.expired() or limit.when() is None:
        yield
        return
    left = seconds_left(limit)
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(asyncio.get_running_loop().time() + left)
