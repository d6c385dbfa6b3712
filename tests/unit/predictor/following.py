"""A follower of the predictor that runs while a test looks at its targets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.predictor.decisions.promotions import Promotions
from services.predictor.model.classes import KnownClasses
from services.predictor.promotions.follower import Follower
from shared.runtime.health import Health
from shared.runtime.retry import RetryPolicy
from shared.testing import MemoryEventLog

QUICK = RetryPolicy(0.01, 1.0, 0.01, attempts=None)


@asynccontextmanager
async def following(
    event_log: MemoryEventLog, health: Health | None = None, classes: KnownClasses | None = None
) -> AsyncIterator[list[Promotions]]:
    """Follow the log; yield the targets so far, which grow."""
    targets: list[Promotions] = []
    async with event_log.publisher("pappus/predictor") as publisher:
        follower = Follower(event_log, publisher, targets.append, health or Health(), QUICK, classes)
        task = asyncio.create_task(follower.run())
        try:
            yield targets
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
