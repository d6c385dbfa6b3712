"""The span of a record: child of the trace context in its headers."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.messaging.event_log import Record
from shared.runtime.telemetry import tracer

_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def process_span(record: Record, name: str) -> Iterator[Span]:
    """Open a span for handling one record, child of the context in its headers; log lines inside carry the record's
    position."""
    carrier = {key: value.decode("ascii", "replace") for key, value in record.headers}
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    parent = _PROPAGATOR.extract(carrier)
    partition = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    with (
        structlog.contextvars.bound_contextvars(**partition),
        tracer().start_as_current_span(name, context=parent, kind=SpanKind.CONSUMER, attributes=attributes) as span,
    ):
        yield span
