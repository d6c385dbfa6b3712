"""Features before they are asked for: of each image as it is stored, and of all of them when the backbone changes."""

import asyncio
from collections.abc import Awaitable, Callable

from services.trainer.data import queries
from services.trainer.data.projection import apply_image_stored
from services.trainer.fast_lane.candidate import CandidateBuildError, LoadedChampion
from services.trainer.features.source import FeatureSource
from shared.contract.events import ImageStored
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.database import Database
from shared.tables.postgres import Transaction

PART = "prefetch"
BATCH = 8
PAUSE_SECONDS = 2.0


class FeaturePrefetcher:
    """A queue of images whose features will be wanted. It only saves time: what it misses is computed when needed."""

    def __init__(
        self, database: Database, source: FeatureSource, base: Callable[[], Awaitable[LoadedChampion | None]]
    ) -> None:
        self._database = database
        self._source = source
        self._base = base
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(maxsize=10_000)

    async def apply_image_stored(self, event: ImageStored, transaction: Transaction) -> None:
        """Fold the event as everywhere, and remember that its features will be wanted."""
        await apply_image_stored(event, transaction)
        if not self._waiting.full():
            self._waiting.put_nowait((event.sha256, event.object_key))

    async def run(self, health: Health, newest: int) -> None:
        """Warm for ever. Under a new backbone the corrected and the `newest` images come first."""
        backbone_id: str | None = None
        while True:
            try:
                base = await self._base()
                if base is not None and base.backbone_id != backbone_id:
                    await self._source.preload(base.backbone_id)
                    await self._warm(base, dict(await queries.newest_images(self._database, newest)))
                    backbone_id = base.backbone_id
                elif base is not None and not self._waiting.empty():
                    await self._warm(base, self._next())
                else:
                    await self._idle()
                health.set(PART, True)
            except (TransientError, CandidateBuildError) as error:
                health.set(PART, False, str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _idle(self) -> None:
        """Wait until an image comes, or long enough to look whether the backbone is another one."""
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                image = await self._waiting.get()
        except TimeoutError:
            return
        self._waiting.put_nowait(image)

    def _next(self) -> dict[str, str]:
        return dict(self._waiting.get_nowait() for _ in range(min(BATCH, self._waiting.qsize())))

    async def _warm(self, base: LoadedChampion, object_keys: dict[str, str]) -> None:
        images = list(object_keys.items())
        for at in range(0, len(images), BATCH):
            found = await self._source.features(base.backbone_id, base.extractor, dict(images[at : at + BATCH]))
            for digest, reason in found.unreadable.items():
                logger.warning("no features of an image", sha256=digest, reason=reason)
