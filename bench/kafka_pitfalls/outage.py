"""One outage of the broker that several measurements share."""

import asyncio
from time import perf_counter

OUTAGE_SECONDS = 20.0


class Outage:
    """Begins when all `parties` are prepared."""

    def __init__(self, bootstrap: str, parties: int) -> None:
        self.bootstrap = bootstrap
        self.back_at = 0.0
        self._prepared = asyncio.Barrier(parties + 1)
        self._begun = asyncio.Event()
        self._over = asyncio.Event()

    async def wait_until_prepared(self) -> None:
        """Wait until all parties are prepared."""
        await self._prepared.wait()

    def begin(self) -> None:
        """Report that the broker is gone."""
        self._begun.set()

    def end(self) -> None:
        """Report that the broker is ready again; `back_at` is that moment on perf_counter's clock."""
        self.back_at = perf_counter()
        self._over.set()

    async def wait_until_begun(self) -> None:
        """Say that a party is prepared, and wait until the broker is gone."""
        await self._prepared.wait()
        await self._begun.wait()

    async def wait_until_over(self) -> None:
        """Wait until the broker is ready again."""
        await self._over.wait()
