"""Spans of a process, and the W3C trace context that joins them across processes, records and table rows."""

import random
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACE_ID_LIMIT = 2**64
"""Samplers of a ratio compare the lower half of a trace id with their share of this (TraceIdRatioBased)."""
MOST_LINKS = 128
"""As many as the SDK keeps; the newest are kept here."""


def configure_traces(service: str, exporter: str, ratio: float, replica: str = "") -> None:
    """Give spans real ids, and send them where `exporter` says: `otlp` (to OTEL_EXPORTER_OTLP_ENDPOINT), `console`
    (stderr) or `none`, which records nothing. Spans are sent by a thread of their own from a bounded queue, so an
    exporter that is away costs spans and never waits.

    `ratio` is the share of traces that begin in this process and are recorded; one that began elsewhere is recorded if
    it is there. A process has one provider: a second call changes nothing.
    """
    # Here, not above: the command and the pages' clients pass a trace on, and have no provider.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as RecordingProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBasedTraceIdRatio, Sampler, TraceIdRatioBased

    if isinstance(trace.get_tracer_provider(), RecordingProvider):
        return
    sampler: Sampler = ALWAYS_OFF if exporter == "none" else ParentBasedTraceIdRatio(ratio)

    class Ids(RandomIdGenerator):
        """Gives the id that was drawn for the next trace, if there is one."""

        def generate_trace_id(self) -> int:
            drawn: int | None = getattr(_Roots.of_thread, "drawn", None)
            _Roots.of_thread.drawn = None
            return drawn or super().generate_trace_id()

    resource = Resource.create(
        {"service.name": service, "service.namespace": "pappus", "service.instance.id": replica or service}
    )
    provider = RecordingProvider(resource=resource, sampler=sampler, id_generator=Ids())
    _Roots.recorded_below = 0 if exporter == "none" else TraceIdRatioBased.get_bound_for_rate(ratio)
    if exporter == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
    elif exporter == "console":
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    trace.set_tracer_provider(provider)


class _Roots:
    """Which traces that begin in this process are recorded: those whose ids have a lower half below `recorded_below`;
    None: the provider decides. `of_thread.drawn`: the id of the next trace that this thread begins."""

    recorded_below: int | None = None
    of_thread = threading.local()


def tracer() -> Tracer:
    """Return the tracer of this process."""
    return _tracer_of(trace.get_tracer_provider())


@cache
def _tracer_of(provider: TracerProvider) -> Tracer:
    """The library compares names and versions at each question, which took as long as the rest of a span."""
    return provider.get_tracer("pappus")


def current_trace_id() -> str | None:
    """Return the trace id of the current span, 32 hex digits; None outside of any span."""
    return trace_id_of(trace.get_current_span())


def current_span_id() -> str | None:
    """Return the id of the current span, 16 hex digits; None outside of any span."""
    return span_id_of(trace.get_current_span())


def traceparent() -> str | None:
    """Return the current trace context as W3C `traceparent`, to be kept in a row that starts an event; None outside of
    any span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def describe(**attributes: Any) -> None:
    """Add attributes to the current span under `pappus.`, by which it can be found: image_id, prediction_id, version.
    None is left out."""
    describe_span(trace.get_current_span(), **attributes)


def describe_span(span: Span, **attributes: Any) -> None:
    """Add attributes to this span as `describe` does to the current one."""
    if span.is_recording():
        span.set_attributes({f"pappus.{key}": str(value) for key, value in attributes.items() if value is not None})


@contextmanager
def span(name: str) -> Iterator[Span]:
    """Open a span inside the current one."""
    with tracer().start_as_current_span(name) as opened:
        yield opened


@contextmanager
def continued(
    parent: str | None, name: str, kind: SpanKind = SpanKind.INTERNAL, began: int | None = None
) -> Iterator[Span]:
    """Open a span that continues a `traceparent` kept elsewhere (a table row), or starts a trace if there is none.
    `began` is when the work did, in nanoseconds since 1970; None: now."""
    context = _PROPAGATOR.extract({"traceparent": parent}) if parent else otel_context.get_current()
    with tracer().start_as_current_span(name, context=context, kind=kind, start_time=began) as opened:
        yield opened


def begin_span(parent: str | None, name: str) -> Span:
    """Return a span for a request, a child of the caller's `traceparent` or the first of its trace, without making it
    the current one: what answers within a millisecond names it where it needs it. End it with `end()`.

    The library takes ten times as long as drawing the ids does, also for a span that is not recorded. So the id of a
    new trace is drawn here, and the library makes a span only if its sampler records that trace.
    """
    if parent:
        return tracer().start_span(name, _PROPAGATOR.extract({"traceparent": parent}), SpanKind.SERVER)
    if _Roots.recorded_below is not None:
        trace_id = random.getrandbits(128) or 1
        if trace_id % _TRACE_ID_LIMIT >= _Roots.recorded_below:
            return NonRecordingSpan(SpanContext(trace_id, random.getrandbits(64) or 1, is_remote=False))
        _Roots.of_thread.drawn = trace_id
    return tracer().start_span(name, otel_context.Context(), SpanKind.SERVER)


def trace_id_of(span: Span) -> str | None:
    """Return the trace id of a span, 32 hex digits; None if it has none."""
    context = span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def span_id_of(span: Span) -> str | None:
    """Return the id of a span, 16 hex digits; None if it has none."""
    context = span.get_span_context()
    return f"{context.span_id:016x}" if context.is_valid else None


def current_span() -> Span:
    """Return the span that is open here; one without ids outside of any."""
    return trace.get_current_span()


@contextmanager
def inside(parent: str | None) -> Iterator[None]:
    """Let spans and records continue a `traceparent` without a span for it; with None they belong to a trace that is
    not recorded, as what is repeated all the time does."""
    if parent is None:
        unrecorded = SpanContext(random.getrandbits(128), random.getrandbits(64), is_remote=True)
        context = trace.set_span_in_context(NonRecordingSpan(unrecorded))
    else:
        context = _PROPAGATOR.extract({"traceparent": parent})
    token = otel_context.attach(context)
    try:
        yield
    finally:
        otel_context.detach(token)


@contextmanager
def caused_by(parents: Sequence[str], name: str, began: int | None = None) -> Iterator[Span]:
    """Open a span for what these traces (each a `traceparent`) led to: a child of the only one; for several a trace of
    its own with a link to each, so that none of them claims what all caused. `began` as in `continued`."""
    if len(parents) == 1:
        with continued(parents[0], name, began=began) as opened:
            yield opened
        return
    links = [Link(context) for parent in parents[-MOST_LINKS:] if (context := _span_context(parent)).is_valid]
    own = otel_context.Context()
    with tracer().start_as_current_span(name, context=own, links=links, start_time=began) as opened:
        yield opened


@contextmanager
def linked_to(spans: Sequence[Span], name: str) -> Iterator[None]:
    """Open a span for what is done at once about these, which may have ended, as `caused_by` does; those that are not
    recorded are left out. If none is, what is done is not recorded either."""
    contexts = [span.get_span_context() for span in spans]
    parents = [_as_text(context) for context in contexts if context.is_valid and context.trace_flags.sampled]
    with caused_by(parents, name) if parents else inside(None):
        yield


def _as_text(context: SpanContext) -> str:
    """Return a span context as W3C `traceparent`."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def add_links(parents: Sequence[str]) -> None:
    """Link the current span to these traces, each a `traceparent`."""
    current = trace.get_current_span()
    for parent in parents[-MOST_LINKS:]:
        if (context := _span_context(parent)).is_valid:
            current.add_link(context)


def _span_context(parent: str) -> SpanContext:
    return trace.get_current_span(_PROPAGATOR.extract({"traceparent": parent})).get_span_context()
