"""The monitor on tables that are dicts, with a log and a store in memory."""

from dataclasses import replace
from typing import Any

from services.predictor.decisions.promotions import Promotions
from services.predictor.monitor.agents import Monitor, MonitorTables
from services.predictor.monitor.decisions.pictures import Reference
from services.predictor.monitor.references import References
from shared.contract.events import DriftDetected, Event, LabelCorrected, ModelPromoted
from shared.contract.replicas import AnswersLogged, PredictionLogged
from shared.contract.topics import MONITOR_TICKS
from shared.messaging.codec import decode_record, encode
from shared.messaging.event_log import Record
from shared.testing import (
    FixedClock,
    MemoryEventLog,
    MemoryObjectStore,
    answers_logged,
    read_all,
)
from shared.testing.events import NOON
from tests.unit.predictor.monitor.references_in_tests import reference
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import METADATA, small_artefact


def artefact(of: Reference) -> bytes:
    return small_artefact(metadata=replace(METADATA, drift=of.drift))


class Bench:
    """The monitor, its tables, a log and a store with one artefact; `restart` keeps tables and log."""

    def __init__(self) -> None:
        self.event_log, self.store = MemoryEventLog(), MemoryObjectStore()
        self.model_name = "plants"
        self.milliseconds = int(NOON.timestamp() * 1000) - 1_000_000_000
        self.tables: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
        self.offsets: dict[tuple[str, int], int] = {}
        self.promoted: tuple[ModelPromoted, ...] = ()
        self.records: list[tuple[Event, Record]] = []

    async def __aenter__(self) -> "Bench":
        self._publishing = self.event_log.publisher("pappus/predictor")
        self._publisher = await self._publishing.__aenter__()
        self.restart()
        await self.promote(artefact(reference()), "full-1")
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self._publishing.__aexit__(None, None, None)

    def restart(self) -> None:
        self.told: list[str] = []
        self.well = True
        self.references = References(self.store)
        if self.promoted:
            self.references.set_promotions(Promotions(self.promoted))
        tables = MonitorTables(*self.tables)
        self.monitor = Monitor(tables, self.references, self._publisher, self.model_name, self._hear, FixedClock())

    def _hear(self, ok: bool, sentence: str) -> None:
        self.well = ok
        self.told.append(sentence)

    async def promote(self, data: bytes, version: str) -> None:
        lane = version.split("-", maxsplit=1)[0]
        made = promotion(len(self.promoted) + 1, data, version).model_copy(update={"lane": lane})
        await self.store.put(made.artefact_key, data, "application/octet-stream")
        self.promoted = (*self.promoted, made)
        self.references.set_promotions(Promotions(self.promoted))

    async def take(self, events: list[PredictionLogged] | list[LabelCorrected]) -> None:
        for event in events:
            partition = event.event_id.int % 4
            offset = self.offsets.get((event.topic, partition), 0)
            self.offsets[event.topic, partition] = offset + 1
            self.milliseconds += 1000
            encoded = encode(event, "pappus/jobs")
            record = Record(event.topic, partition, offset, event.key, encoded, timestamp_ms=self.milliseconds)
            self.records.append((event, record))
            await self._handle(event, record)

    async def take_together(self, events: list[PredictionLogged]) -> None:
        """Take answers in one record."""
        event = answers_logged(*events)
        offset = self.offsets.get((event.topic, 0), 0)
        self.offsets[event.topic, 0] = offset + 1
        self.milliseconds += 1000 * len(events)
        encoded = encode(event, "pappus/jobs")
        record = Record(event.topic, 0, offset, event.key, encoded, timestamp_ms=self.milliseconds)
        self.records.append((event, record))
        await self._handle(event, record)

    async def repeat(self) -> None:
        """Deliver everything again."""
        for event, record in self.records:
            await self._handle(event, record)

    async def _handle(self, event: Event, record: Record) -> None:
        if isinstance(event, PredictionLogged):
            await self.monitor.on_prediction_logged(event, record)
        elif isinstance(event, AnswersLogged):
            await self.monitor.on_answers_logged(event, record)
        elif isinstance(event, LabelCorrected):
            await self.monitor.on_label_corrected(event, record)

    async def tick(self) -> None:
        await self.monitor.on_tick(Record(MONITOR_TICKS, 0, 0, None, b"tick"))

    async def drifts(self) -> list[DriftDetected]:
        found = [decode_record(record) for record in await read_all(self.event_log, [DriftDetected.topic])]
        return [event for event in found if isinstance(event, DriftDetected)]

    @property
    def watch(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tables[2]["plants/pictures"]
        return found
