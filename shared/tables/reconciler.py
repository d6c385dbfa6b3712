"""Reconcilers: wake on a change or a timer -> compare the tables with what should be -> publish what is missing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

from shared.contract.events import Event
from shared.messaging.event_log import Publisher
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.metrics import RECONCILIATIONS, RETRIES
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, delay
from shared.runtime.telemetry import logger
from shared.runtime.tracing import caused_by
from shared.tables.database import Database
from shared.tables.projection import wait_until_projected
from shared.tables.traces import find_traces

FOLDED_SECONDS = 10.0


async def run_reconciler(
    reconcile: Callable[[], Awaitable[Sequence[Event]]],
    *,
    publisher: Publisher,
    database: Database,
    health: Health,
    name: str,
    every_seconds: float = 10.0,
    regardless_of: Collection[str] = (),
    retry: RetryPolicy = UNTIL_CANCELLED,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run `reconcile` as `run_on_changes` does, and publish the events it returns.

    It never runs on tables older than its own last publication. What it publishes continues the trace of the event that
    caused it, as far as the projection keeps traces; if several did, it has a trace of its own that links to theirs.
    """

    async def publish_missing() -> None:
        began = time.time_ns()
        events = await reconcile()
        if not events:
            return
        causes = [cause for event in events for cause in event.causes]
        with caused_by(await find_traces(database, causes), f"reconcile {name}", began):
            published = await publisher.publish(events)
            await wait_until_projected(database, published, FOLDED_SECONDS)

    await run_on_changes(
        publish_missing,
        database=database,
        health=health,
        name=name,
        every_seconds=every_seconds,
        regardless_of=regardless_of,
        retry=retry,
        sleep=sleep,
    )


async def run_on_changes(
    reconcile: Callable[[], Awaitable[None]],
    *,
    database: Database,
    health: Health,
    name: str,
    every_seconds: float = 10.0,
    regardless_of: Collection[str] = (),
    retry: RetryPolicy = UNTIL_CANCELLED,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run `reconcile` now, then after each change of the tables and at least every `every_seconds`, until cancelled.
    Events of the topics `regardless_of` are no reason to run.

    A change that comes while it runs makes it run again. A TransientError turns health red with the reason until a run
    succeeds, with back-off in between.

    Raises:
        TransientError: the last one, once `retry` gives up.
        Exception: any other exception of `reconcile`, at once.
    """
    failures = 0
    async with database.changes(regardless_of) as changes:
        while True:
            try:
                await reconcile()
            except TransientError as error:
                failures += 1
                seconds = delay(retry, failures)
                health.set(name, False, str(error))
                if seconds is None:
                    raise
                RETRIES.labels(name).inc()
                logger.warning("reconciler will try again", part=name, reason=str(error), again_in_seconds=seconds)
                await sleep(seconds)
                continue
            failures = 0
            health.set(name, True)
            RECONCILIATIONS.labels(name).inc()
            await changes.wait(every_seconds)
