"""A full lane that ends after some trainings, as a Job does."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Protocol

LOOK_SECONDS = 0.5


class AnnouncedModels(Protocol):
    """What the tables know."""

    async def trained(self, version: str) -> object | None:
        """Return the candidate with this version; None if its model.trained is not on the log yet."""


async def run_until_trained(
    running: Coroutine[Any, Any, None], answered: Collection[str], models: AnnouncedModels, trainings: int
) -> None:
    """Run the parts of the process until it has `answered` so many requests with versions that the log has; 0: until
    cancelled. A request whose offset was not committed then is answered again by the next process, with the same
    version."""
    task = asyncio.ensure_future(running)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=LOOK_SECONDS if trainings else None)
            if trainings and len(answered) >= trainings and all([await models.trained(one) for one in answered]):
                return
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
