"""Features before they are needed: of each image soon after it was stored, and of all of them when the backbone
changes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from services.trainer.data import queries
from services.trainer.fast_lane.candidate import CandidateBuildError, LoadedChampion
from services.trainer.features.source import FeatureSource
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.telemetry import logger
from shared.tables.database import Database

PART = "prefetch"
BATCH = 8
EVERY_SECONDS = 2.0
QUIET_SECONDS = 0.5
LONGEST_SECONDS = 30.0
"""While the tables change without a pause, as when hundreds of images come in at once, features wait so long at most:
each takes a download, and CPU from the images that still come. A correction waits for none of this."""
OVERLAP = timedelta(minutes=5)
"""Images are folded roughly in the order they were stored; one that comes later than this is computed when needed."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class FeaturePrefetcher:
    """Computes the features of images that the tables show. It only saves time: what it misses is computed when
    needed."""

    def __init__(
        self,
        database: Database,
        source: FeatureSource,
        base: Callable[[], Awaitable[LoadedChampion | None]],
        newest: int,
    ) -> None:
        """`base` gives the champion, None before the first; `newest` is how many images are kept in memory."""
        self._database = database
        self._source = source
        self._base = base
        self._newest = newest
        self._since = LONG_AGO
        self._seen: set[str] = set()

    async def run(self, health: Health) -> None:
        """Compute after each change of the tables until cancelled; under a new backbone first for the corrected images,
        then for the newest ones."""
        backbone_id: str | None = None
        async with self._database.changes() as changes:
            while True:
                try:
                    self._source.forget(await queries.withdrawn_digests(self._database))
                    base = await self._base()
                    if base is not None:
                        new = await self._find_new_images()
                        if base.backbone_id != backbone_id:
                            await self._compute_mirrored(base)
                            new = dict(await queries.newest_images(self._database, self._newest)) | new
                            await self._source.recall(base.backbone_id, new, len(base.artefact.head.mean))
                        await self._compute(base, new)
                        backbone_id = base.backbone_id
                    health.set(PART, True)
                except (TransientError, CandidateBuildError) as error:
                    health.set(PART, False, str(error))
                    await asyncio.sleep(EVERY_SECONDS)
                if await changes.wait(EVERY_SECONDS):
                    await changes.wait_until_quiet(QUIET_SECONDS, LONGEST_SECONDS)

    async def _find_new_images(self) -> dict[str, str]:
        """Return where the bytes of the images lie that were not there at the last look, by sha256."""
        rows = await queries.images_stored_since(self._database, self._since, self._newest)
        new = {digest: key for digest, key, _ in rows if digest not in self._seen}
        if rows:
            self._seen = {digest for digest, _, _ in rows}
            self._since = rows[0][2] - OVERLAP
        return new

    async def _compute_mirrored(self, base: LoadedChampion) -> None:
        """Compute the second rows of the corrections that there are: full trainings do not keep these features."""
        if base.wants_mirrored:
            corrections = await queries.applied_corrections(self._database)
            keys = [(one.sha256, one.object_key) for one in corrections]
            for at in range(0, len(keys), BATCH):
                batch = dict(keys[at : at + BATCH])
                await self._source.features(base.backbone_id, base.extractor, batch, mirrored=True)

    async def _compute(self, base: LoadedChampion, object_keys: dict[str, str]) -> None:
        images = list(object_keys.items())
        for at in range(0, len(images), BATCH):
            found = await self._source.features(base.backbone_id, base.extractor, dict(images[at : at + BATCH]))
            for digest, reason in found.unreadable.items():
                logger.warning("no features of an image", sha256=digest, reason=reason)
