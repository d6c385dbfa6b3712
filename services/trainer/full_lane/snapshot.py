"""A snapshot of the labelled images, with the log positions that it is folded from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.trainer.data import queries
from services.trainer.data.projection import TOPICS
from services.trainer.dataset.manifest import Sample
from shared.contract.events import ImageStored, ImageWithdrawn, LabelCorrected, ModelTrained
from shared.contract.label_set import LabelSet
from shared.messaging.event_log import EventLog
from shared.runtime.clock import Clock, utc_now
from shared.tables import positions
from shared.tables.database import Database
from shared.tables.label_set import read_changed_classes
from shared.tables.projection import wait_until_caught_up
from shared.tables.traces import find_traces


@dataclass(frozen=True)
class Snapshot:
    """Every labelled image at one moment. `object_keys`: the object key by sha256. `positions`: the next
    offset of each "topic/partition" that the samples are folded from; all records before it are folded. `changed`: the
    classes, None while they are those of the configuration."""

    samples: tuple[Sample, ...]
    object_keys: Mapping[str, str]
    positions: Mapping[str, int]
    at: datetime
    changed: LabelSet | None = None


class Dataset(Protocol):
    """The full lane's view of the trainer's tables."""

    async def take_snapshot(self) -> Snapshot:
        """Return the labelled images, folded up to the current end of the log. Raises TransientError."""

    async def trained(self, version: str) -> ModelTrained | None:
        """Return the candidate with this version; None if there is none. Raises TransientError."""

    async def champion_version(self) -> str | None:
        """Return the version in service; None before the first promotion. Raises TransientError."""

    async def find_traces(self, causes: Sequence[UUID]) -> Sequence[str]:
        """Return the trace context of those of these events that were traced. Raises TransientError."""


class TableDataset:
    """The `Dataset` in the trainer's schema, which a projection keeps."""

    def __init__(self, event_log: EventLog, database: Database, timeout_seconds: float, clock: Clock = utc_now) -> None:
        self._event_log = event_log
        self._database = database
        self._timeout_seconds = timeout_seconds
        self._clock = clock

    async def take_snapshot(self) -> Snapshot:
        """See Dataset. Samples and positions come from one database snapshot, so they agree."""
        await wait_until_caught_up(self._event_log, self._database, TOPICS, self._timeout_seconds)
        async with self._database.transaction() as snapshot:
            await snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            at = self._clock()
            folded = positions.from_rows(await snapshot.fetch(positions.READ))
            samples = await queries.labelled_samples(snapshot)
            keys = await queries.object_keys(snapshot, [sample.sha256 for sample in samples])
            changed = await read_changed_classes(snapshot)
        sources = (ImageStored.topic, ImageWithdrawn.topic, LabelCorrected.topic)
        offsets = {f"{p.topic}/{p.partition}": known.next_offset for p, known in folded.items() if p.topic in sources}
        return Snapshot(tuple(samples), keys, offsets, at, changed)

    async def trained(self, version: str) -> ModelTrained | None:
        """See Dataset."""
        row = await queries.model(self._database, version)
        return row.trained if row else None

    async def champion_version(self) -> str | None:
        """See Dataset."""
        promotion = await queries.promotion(self._database)
        return promotion.version if promotion else None

    async def find_traces(self, causes: Sequence[UUID]) -> Sequence[str]:
        """See Dataset."""
        return await find_traces(self._database, causes)
