"""The labelled images of this moment, and up to where the log was read for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.manifest import Sample
from shared.contract.events import ImageStored, LabelCorrected, ModelTrained
from shared.messaging.event_log import EventLog
from shared.runtime.clock import Clock, utc_now
from shared.tables import positions
from shared.tables.database import Database
from shared.tables.projection import wait_until_caught_up


@dataclass(frozen=True)
class Snapshot:
    """Every labelled image at one moment. `object_keys`: where the bytes of each sha256 lie. `positions`: the next
    offset of each "topic/partition" the samples are folded from; what stands before it is in them."""

    samples: tuple[Sample, ...]
    object_keys: Mapping[str, str]
    positions: Mapping[str, int]
    at: datetime


class Dataset(Protocol):
    """The trainer's tables, as the full lane asks them."""

    async def take_snapshot(self) -> Snapshot:
        """The labelled images now, with everything in them that stands in the log now. Raises TransientError."""

    async def trained(self, version: str) -> ModelTrained | None:
        """The candidate with this version; None if there is none. Raises TransientError."""

    async def champion_version(self) -> str | None:
        """The version in service; None before the first promotion. Raises TransientError."""


class TableDataset:
    """The dataset in the trainer's schema, which the fast lane's process keeps."""

    def __init__(self, event_log: EventLog, database: Database, timeout_seconds: float, clock: Clock = utc_now) -> None:
        self._event_log = event_log
        self._database = database
        self._timeout_seconds = timeout_seconds
        self._clock = clock

    async def take_snapshot(self) -> Snapshot:
        """See Dataset. One snapshot: the positions are exactly those of the samples."""
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._timeout_seconds)
        async with self._database.transaction() as snapshot:
            await snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            at = self._clock()
            folded = positions.from_rows(await snapshot.fetch(positions.READ))
            samples = await queries.labelled_samples(snapshot)
            keys = await queries.object_keys(snapshot, [sample.sha256 for sample in samples])
        sources = (ImageStored.topic, LabelCorrected.topic)
        places = {f"{p.topic}/{p.partition}": known.next_offset for p, known in folded.items() if p.topic in sources}
        return Snapshot(tuple(samples), keys, places, at)

    async def trained(self, version: str) -> ModelTrained | None:
        """See Dataset."""
        row = await queries.model(self._database, version)
        return row.trained if row else None

    async def champion_version(self) -> str | None:
        """See Dataset."""
        promotion = await queries.promotion(self._database)
        return promotion.version if promotion else None
