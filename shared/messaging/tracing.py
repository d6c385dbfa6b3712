"""Spans of records: one where an event is sent, one wherever it is processed, each a child of the one before.

Names and attributes follow the semantic conventions for messaging (OpenTelemetry 1.44).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry.trace import Span, SpanKind, TraceFlags, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.contract.events import Event
from shared.messaging.event_log import Record
from shared.runtime.tracing import describe, tracer

_PROPAGATOR = TraceContextTextMapPropagator()
_FLAGS = re.compile(r"-([0-9a-f]{2})$")
_IDS = ("image_id", "prediction_id", "version", "replica")
"""The fields of events by which a trace is found."""
_LOGGED = "image_id"
"""The field by which the log lines about one image are found, in every service."""


@contextmanager
def process_span(record: Record, operation: str = "process", group: str | None = None) -> Iterator[Span]:
    """Open a span for handling one record, child of the context in its headers; log lines inside carry the record's
    position, and after `describe_event` the image it is about. `group` is the consumer group, None for a reader without
    one."""
    attributes: dict[str, str | int] = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": "process",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    if group is not None:
        attributes["messaging.consumer.group.name"] = group
    if record.key is not None:
        attributes["messaging.kafka.message.key"] = record.key
    parent = _PROPAGATOR.extract({key: value.decode("ascii", "replace") for key, value in record.headers})
    partition = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    name = f"{operation} {record.topic}"
    with (
        structlog.contextvars.bound_contextvars(**partition),
        tracer().start_as_current_span(name, context=parent, kind=SpanKind.CONSUMER, attributes=attributes) as span,
    ):
        try:
            yield span
        finally:
            structlog.contextvars.unbind_contextvars(_LOGGED)


def recorded_parent(record: Record) -> str | None:
    """Return the `traceparent` in the headers of a record, None if there is none or that trace is not recorded."""
    for name, value in record.headers:
        text = value.decode("ascii", "replace")
        if name == "traceparent" and (flags := _FLAGS.search(text)) and int(flags[1], 16) & TraceFlags.SAMPLED:
            return text
    return None


def describe_event(event: Event) -> None:
    """Add to the current span which event it processes, and what the event is about; to the log lines of that span
    which image."""
    if (image_id := getattr(event, _LOGGED, None)) is not None:
        structlog.contextvars.bind_contextvars(**{_LOGGED: str(image_id)})
    span = get_current_span()
    if span.is_recording():
        span.set_attribute("messaging.message.id", str(event.event_id))
        describe(**{name: getattr(event, name, None) for name in _IDS})


class SendSpan:
    """The span of one message on its way to the log, from the call to the acknowledgement."""

    def __init__(self, topic: str, key: str | None, event: Event | None = None) -> None:
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
        }
        self._span = tracer().start_span(f"send {topic}", kind=SpanKind.PRODUCER)
        if self._span.is_recording():
            if key is not None:
                attributes["messaging.kafka.message.key"] = key
            if event is not None:
                attributes["messaging.message.id"] = str(event.event_id)
                found = {name: getattr(event, name, None) for name in _IDS}
                attributes |= {f"pappus.{name}": str(value) for name, value in found.items() if value is not None}
            self._span.set_attributes(attributes)

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the headers by which readers continue this span: a fresh list, since the client changes it."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(self._span))
        return [(name, value.encode()) for name, value in carrier.items()]

    def end(self, error: BaseException | None = None) -> None:
        """End the span, with what went wrong."""
        if error is not None and self._span.is_recording():
            self._span.set_attribute("error.type", type(error).__name__)
        self._span.end()
