"""Logs and traces of a process: JSON lines on stdout, W3C trace context in the headers of every record."""

import logging
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import Span, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.runtime.settings import Settings

logger: structlog.stdlib.BoundLogger = structlog.get_logger()

_PROPAGATOR = TraceContextTextMapPropagator()
_REPEATED_SECONDS = 30.0


class RepeatedMessages(logging.Filter):
    """Passes each message of a noisy client library once in 30 s: aiokafka logs a missing topic ten times a second."""

    def __init__(self, prefix: str, every_seconds: float = _REPEATED_SECONDS) -> None:
        super().__init__()
        self._prefix = prefix
        self._every_seconds = every_seconds
        self._last: dict[tuple[str, int, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._prefix):
            return True
        source = (record.name, record.lineno, str(record.msg))
        now = time.monotonic()
        if now - self._last.get(source, -self._every_seconds) < self._every_seconds:
            return False
        self._last[source] = now
        return True


def _add_trace(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    trace_id = current_trace_id()
    if trace_id is not None:
        line.setdefault("trace_id", trace_id)
    return line


def configure(service: str, settings: Settings) -> None:
    """Turn the logs of structlog and of the standard library into JSON lines on stdout, give spans real ids, and send
    them where `settings.trace_exporter` says. Call it once, first thing in a process."""
    _configure_logs(service, settings.log_level)
    _configure_traces(service, settings.trace_exporter)


def _configure_logs(service: str, level: str) -> None:
    def add_service(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["service"] = service
        return line

    shared_steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        _add_trace,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared_steps],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    handler.addFilter(RepeatedMessages("aiokafka"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in (
        "aiokafka",
        "faust",
        "mode",
        "botocore",
        "aiobotocore",
        "urllib3",
        "aiohttp.access",
        "opentelemetry",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _configure_traces(service: str, exporter: str) -> None:
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return  # a process has one provider, and OpenTelemetry refuses a second
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if exporter == "otlp":
        # Here, not above: the exporter is a seventh of what a process loads at its start, and seldom wanted.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    elif exporter == "console":
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
    trace.set_tracer_provider(provider)


def tracer() -> Tracer:
    """Return the tracer of this process."""
    return trace.get_tracer("pappus")


def current_trace_id() -> str | None:
    """Return the trace id of the current span, 32 hex digits; None outside of any span."""
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else None


def traceparent() -> str | None:
    """Return the current trace context as W3C `traceparent`, to be kept in a row that starts an event; None outside of
    any span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def inject_headers() -> list[tuple[str, bytes]]:
    """Return the current trace context as record headers: a fresh list at every call, since the client changes it."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return [(name, value.encode()) for name, value in carrier.items()]


@contextmanager
def continued(parent: str | None, name: str) -> Iterator[Span]:
    """Open a span that continues a `traceparent` kept elsewhere (a table row), or starts a trace if there is none."""
    context = _PROPAGATOR.extract({"traceparent": parent}) if parent else otel_context.get_current()
    with tracer().start_as_current_span(name, context=context) as span:
        yield span
