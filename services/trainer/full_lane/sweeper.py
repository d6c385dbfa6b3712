"""Artefacts that nothing needs any more are deleted: of candidates that never served all but the newest, and objects
that no event names. Manifests and features stay.

It looks at the store first, then waits until the tables show the whole log, then reads them: what was announced before
the look is known. What is put again meanwhile is another version of the object, and only those that were seen go. So an
artefact that is announced late, or that an operator puts into service now, is not lost, whichever process is slow.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.trainer.data.known_artefacts import all_candidates, champion_and_anchor
from services.trainer.data.projection import TOPICS
from services.trainer.full_lane.decisions.unneeded import (
    PREFIX,
    Judgement,
    KnownModel,
    StoredArtefact,
    SweepRules,
    judge_artefacts,
)
from services.trainer.full_lane.settings import FullLaneSettings
from shared.messaging.event_log import EventLog
from shared.runtime.clock import Clock, utc_now
from shared.runtime.health import Health
from shared.runtime.metrics import SWEPT_BYTES, SWEPT_OBJECTS
from shared.runtime.process import keep_running
from shared.runtime.retry import UNTIL_CANCELLED, RetryPolicy, retrying
from shared.runtime.telemetry import logger
from shared.storage.object_store import KeptObject, ObjectStore
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up
from shared.tables.same_log import check_same_log
from shared.tables.single_worker import run_in_one_process

PART = "sweeper"
AGAIN = RetryPolicy(first_seconds=1.0, longest_seconds=3600.0, attempts=None)
"""After what does not pass by itself: each attempt lists the store."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What lies below models/, each object with what becomes of it."""

    judged: Sequence[tuple[KeptObject, Judgement]]

    @property
    def unneeded(self) -> list[tuple[KeptObject, Judgement]]:
        """The objects that may go."""
        return [(kept, judgement) for kept, judgement in self.judged if judgement.goes]


class Sweeper:
    """Deletes artefacts that nothing needs."""

    def __init__(
        self,
        event_log: EventLog,
        database: Database,
        store: ObjectStore,
        settings: FullLaneSettings,
        clock: Clock = utc_now,
    ) -> None:
        self._event_log = event_log
        self._database = database
        self._store = store
        self._settings = settings
        self._clock = clock

    async def run(self, health: Health) -> None:
        """Sweep now and every `sweep_hours` until cancelled, in one process of all. A store that refuses, or a log that
        was replaced, turns the part red, and trainings go on."""
        if self._settings.sweep_hours:
            await keep_running(health, PART, lambda: self._run_in_one_process(health), AGAIN)

    async def _run_in_one_process(self, health: Health) -> None:
        async def work() -> None:
            while True:
                await retrying(UNTIL_CANCELLED, self._wait_for_tables)
                deleted = await self.sweep()
                health.set(PART, True, f"deleted {deleted} artefacts that nothing needed")
                await asyncio.sleep(self._settings.sweep_hours * 3600)

        silence = self._settings.writer_silence_seconds
        await run_in_one_process(work, database=self._database, health=health, name=PART, silence_seconds=silence)

    async def sweep(self) -> int:
        """Delete what nothing needs, and return how many objects. One that was put again meanwhile stays.

        Raises:
            TransientError: a dependency did not answer; the next sweep does the rest.
            PappusError: the store refuses, or the log was replaced.
        """
        listed = await self._store.list_objects(PREFIX)
        await check_same_log(self._event_log, self._database, TOPICS)
        await self._wait_for_tables()
        looked = await look_through(listed, self._database, self._settings, self._clock)
        deleted = size_bytes = 0
        try:
            for kept, judgement in looked.unneeded:
                if not await self._store.discard(kept):
                    continue
                deleted, size_bytes = deleted + 1, size_bytes + kept.size_bytes
                SWEPT_OBJECTS.labels(PREFIX).inc()
                SWEPT_BYTES.labels(PREFIX).inc(kept.size_bytes)
                logger.info("an artefact is deleted", key=kept.key, size_bytes=kept.size_bytes, reason=judgement.reason)
        finally:
            logger.info("swept", prefix=PREFIX, objects=len(listed), deleted=deleted, size_bytes=size_bytes)
        return deleted

    async def _wait_for_tables(self) -> None:
        seconds = self._settings.samples_caught_up_seconds
        await wait_until_caught_up(self._event_log, self._database, TOPICS, seconds)


async def look_through(
    listed: Sequence[KeptObject], database: Database, settings: FullLaneSettings, clock: Clock = utc_now
) -> Sweep:
    """Return what becomes of these objects. Raises TransientError if the tables do not answer."""
    rows = await all_candidates(database)
    models = [KnownModel(**dict(row)) for row in rows]
    chosen = await champion_and_anchor(database)
    rules = SweepRules(settings.kept_candidates, timedelta(hours=settings.swept_after_hours))
    stored = [StoredArtefact(kept.key, kept.modified_at) for kept in listed]
    judged = await asyncio.to_thread(judge_artefacts, stored, models, chosen, rules, clock())
    return Sweep(list(zip(listed, judged, strict=True)))
