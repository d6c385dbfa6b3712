"""The trace of an event goes on where something is decided from the tables later."""

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.contract.events import Event, LabelCorrected, TrainingRequested
from shared.messaging.tracing import recorded_parent
from shared.runtime import tracing
from shared.runtime.health import Health
from shared.tables import traces
from shared.tables.database import Database
from shared.tables.dump import canonical_dump
from shared.tables.projection import ProjectionBatch, Transaction, on_event
from shared.tables.reconciler import run_reconciler
from shared.testing import MemoryEventLog, eventually, label_corrected, training_requested


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for place in ("shared.runtime.tracing", "shared.messaging.tracing"):
        monkeypatch.setattr(f"{place}.tracer", lambda: provider.get_tracer("test"))
    return exporter


async def fold_nothing(_event: LabelCorrected, _transaction: Transaction) -> None:
    return


async def correct(event_log: MemoryEventLog, database: Database, count: int, keep: bool = True) -> list[LabelCorrected]:
    """Publish and fold corrections, each in a trace of its own."""
    events = [label_corrected() for _ in range(count)]
    async with event_log.publisher("pappus/labeler") as publisher:
        records = [record for event in events for record in await publisher.publish([event])]
    fold = ProjectionBatch(database.schema, [on_event(LabelCorrected, fold_nothing)], None, keep_traces=keep)
    async with database.connection() as connection:
        await fold.batch(connection, records)
    return events


async def publish_because_of(causes: Sequence[Event], event_log: MemoryEventLog, database: Database) -> None:
    """Let a reconciler publish one event with these causes."""
    made: list[Event] = [training_requested(causes=tuple(cause.event_id for cause in causes))]

    async def reconcile() -> Sequence[Event]:
        return [made.pop()] if made else []

    async with event_log.publisher("pappus/trainer") as publisher:
        running = asyncio.create_task(
            run_reconciler(reconcile, publisher=publisher, database=database, health=Health(), name="lane")
        )
        await eventually(lambda: bool(event_log.records(TrainingRequested.topic)))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_one_event_caused_is_in_its_trace(database: Database, spans: InMemorySpanExporter) -> None:
    event_log = MemoryEventLog()
    cause = await correct(event_log, database, 1)
    await publish_because_of(cause, event_log, database)
    sent = recorded_parent(event_log.records(LabelCorrected.topic)[0])
    published = recorded_parent(event_log.records(TrainingRequested.topic)[0])
    assert sent is not None
    assert published is not None
    assert published.split("-")[1] == sent.split("-")[1]


async def test_what_many_events_caused_links_to_each(database: Database, spans: InMemorySpanExporter) -> None:
    event_log = MemoryEventLog()
    causes = await correct(event_log, database, 3)
    await publish_because_of(causes, event_log, database)
    (reconciled,) = [span for span in spans.get_finished_spans() if span.name == "reconcile lane"]
    sent = {recorded_parent(record) for record in event_log.records(LabelCorrected.topic)}
    linked = {f"{link.context.trace_id:032x}-{link.context.span_id:016x}" for link in reconciled.links}
    assert linked == {parent[3:-3] for parent in sent if parent is not None}
    assert len(linked) == 3


async def test_nothing_is_kept_of_traces_that_are_not_recorded(database: Database, spans: InMemorySpanExporter) -> None:
    with tracing.inside(None):
        events = await correct(MemoryEventLog(), database, 2)
    assert await traces.find_traces(database, [event.event_id for event in events]) == []


async def test_a_projection_keeps_traces_only_if_told(database: Database, spans: InMemorySpanExporter) -> None:
    events = await correct(MemoryEventLog(), database, 2, keep=False)
    assert await traces.find_traces(database, [event.event_id for event in events]) == []


async def test_old_traces_are_forgotten_and_no_dump_has_them(database: Database, spans: InMemorySpanExporter) -> None:
    events = await correct(MemoryEventLog(), database, 2)
    ids = [event.event_id for event in events]
    assert len(await traces.find_traces(database, ids)) == 2
    await database.execute(
        f"UPDATE traces SET kept_at = now() - interval '{traces.KEPT_HOURS + 1} hours' WHERE event_id = $1", ids[0]
    )
    async with database.transaction() as transaction:
        await traces.forget_old(transaction)
    assert len(await traces.find_traces(database, ids)) == 1
    assert "traces" not in await canonical_dump(database)
