"""Work that one process of a service does at a time. The others stand by, and take over when it ends, when its
connection is lost, and when it is silent.

A process that was replaced may still finish the statement or the publication it is at: the work has to be such that
doing it twice at once is harmless (same event ids, content-addressed objects).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.retry import UNTIL_CANCELLED, delay
from shared.runtime.telemetry import logger
from shared.tables.database import Database
from shared.tables.lock_holder import (
    POLL_SECONDS,
    SILENCE_SECONDS,
    HolderWatch,
    application_name,
    end_holder,
    find_holder,
    set_role,
    show_life,
    try_lock,
)
from shared.tables.postgres import Connection, Row

STANDING_BY = "standing by: another process does this"
STEADY_SECONDS = 60.0
"""Work that went well for so long begins its back-off anew when it fails."""


async def run_in_one_process(
    work: Callable[[], Awaitable[None]],
    *,
    database: Database,
    health: Health,
    name: str,
    silence_seconds: float = SILENCE_SECONDS,
) -> None:
    """Run `work` while this process holds the lock `name` of the schema, until cancelled or until `work` returns.

    When the lock is lost, `work` is cancelled, and this process stands by again. A TransientError, also one of a task
    group of `work`, turns the part `name` of `health` red, and is retried with back-off. After one of its own, `work`
    reports the part as healthy itself once it works again: that it was started says nothing about what it needs.

    Raises:
        Exception: any other exception of `work`.
    """
    failures, work_failed = 0, False
    while True:
        held_since: float | None = None
        try:
            standing_by = partial(health.set, name, True, STANDING_BY)
            async with _holding(database, name, silence_seconds, standing_by) as connection:
                held_since = time.monotonic()
                if not work_failed:
                    health.set(name, True)
                return await _work_while_held(connection, work)
        except TransientError as error:
            work_failed = held_since is not None
            steady = held_since is not None and time.monotonic() - held_since >= STEADY_SECONDS
            failures = 1 if steady else failures + 1
            seconds = delay(UNTIL_CANCELLED, failures) or 0.0
            health.set(name, False, str(error))
            logger.warning("will try again", part=name, reason=str(error), again_in_seconds=seconds)
            await asyncio.sleep(seconds)


@asynccontextmanager
async def turn(database: Database, name: str, silence_seconds: float = SILENCE_SECONDS) -> AsyncIterator[None]:
    """Hold the lock `name` of the schema for a short piece of work, and show life meanwhile. If the lock is lost, the
    work goes on: it has to find out by itself what another process did."""
    async with _holding(database, name, silence_seconds) as connection:
        life = asyncio.ensure_future(show_life(connection))
        try:
            yield
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


@asynccontextmanager
async def _holding(
    database: Database, name: str, silence_seconds: float, standing_by: Callable[[], None] = lambda: None
) -> AsyncIterator[Connection]:
    """Hold the lock, after as long a wait as it takes. Calls `standing_by` whenever another connection has it."""
    lock, watch = f"{database.schema}.{name}", HolderWatch()
    async with database.connection() as connection:
        await set_role(connection, database.schema, f"{name} standby")
        while not await try_lock(connection, lock):
            standing_by()
            holder = await find_holder(connection, lock)
            if holder is not None and _is_silent(holder, watch, database.schema, name, silence_seconds):
                await end_holder(connection, lock, holder)
            await asyncio.sleep(POLL_SECONDS)
        await set_role(connection, database.schema, name)
        yield connection


def _is_silent(holder: Row, watch: HolderWatch, schema: str, name: str, silence_seconds: float) -> bool:
    """Whether the holder shows life regularly, which its name says, and has stopped doing so."""
    silent_seconds = watch.silent_seconds(holder)
    return holder["application_name"] == application_name(schema, name) and silent_seconds >= silence_seconds


async def _work_while_held(connection: Connection, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it ends, or until the connection is lost. Raises TransientError then."""
    life = asyncio.ensure_future(show_life(connection))
    working = asyncio.ensure_future(work())
    try:
        await asyncio.wait((life, working), return_when=asyncio.FIRST_COMPLETED)
        await (working if working.done() else life)
    except ExceptionGroup as failed:
        raise _cause_of(failed) from failed
    finally:
        life.cancel()
        working.cancel()
        await asyncio.gather(life, working, return_exceptions=True)


def _cause_of(failed: ExceptionGroup[Exception]) -> Exception:
    """Return what ended a task group of the work: the first error that is no TransientError, else the first."""
    group = failed.split(TransientError)[1] or failed
    first = group.exceptions[0]
    return _cause_of(first) if isinstance(first, ExceptionGroup) else first
