"""Logs of a process: JSON lines on stdout, each with the trace that it belongs to."""

import json
import logging
import sys
import time
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from shared.runtime.settings import Settings
from shared.runtime.tracing import configure_traces, current_span_id, current_trace_id

logger: structlog.stdlib.BoundLogger = structlog.get_logger()

_REPEATED_SECONDS = 30.0


class RepeatedMessages(logging.Filter):
    """Passes what each line of a noisy library logs once in 30 s: aiokafka tells of a missing topic ten times a
    second."""

    def __init__(self, prefix: str, every_seconds: float = _REPEATED_SECONDS) -> None:
        super().__init__()
        self._prefix = prefix
        self._every_seconds = every_seconds
        self._last: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._prefix):
            return True
        source = (record.name, record.lineno)
        now = time.monotonic()
        if now - self._last.get(source, -self._every_seconds) < self._every_seconds:
            return False
        self._last[source] = now
        return True


def _add_trace(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    trace_id = current_trace_id()
    if trace_id is not None:
        line.setdefault("trace_id", trace_id)
        line.setdefault("span_id", current_span_id())
    return line


def configure(service: str, settings: Settings, trace_ratio: float | None = None) -> None:
    """Turn the logs of structlog and of the standard library into JSON lines on stdout, give spans real ids, and send
    them where `settings.trace_exporter` says. Call it once, first thing in a process. `trace_ratio` replaces that of
    the settings."""
    _configure_logs(service, settings.log_level)
    ratio = settings.trace_ratio if trace_ratio is None else trace_ratio
    replica = settings.replica if "replica" in settings.model_fields_set else ""
    configure_traces(service, settings.trace_exporter, ratio, replica)


class Line(NamedTuple):
    """What a line says, and of which time."""

    at: datetime
    fields: Mapping[str, object]


def log_many(event: str, lines: Sequence[Line]) -> None:
    """Write lines of the level "info" about the same kind of event, as `logger.info(event, **fields)` does for each, at
    a fraction of the cost: no steps between, and one write for all."""
    if structlog.get_config()["processors"] is not _Written.steps:  # a test, or a process that is not configured
        for line in lines:
            logger.info(event, **line.fields)
        return
    root = logging.getLogger()
    if not root.isEnabledFor(logging.INFO):
        return
    texts = [
        _as_json(
            {
                **line.fields,
                "event": event,
                "level": "info",
                "time": f"{line.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
                "service": _Written.service,
            }
        )
        for line in lines
    ]
    for handler in root.handlers:
        if isinstance(handler, logging.StreamHandler):
            # As a handler does: that a line cannot be written is no reason to stop.
            with handler.lock or nullcontext(), suppress(OSError, ValueError):
                handler.stream.write("\n".join([*texts, ""]))
                handler.flush()


_as_json = json.JSONEncoder(default=str).encode


class _Written:
    """How lines of this process are written."""

    service = ""
    steps: object = None


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
    steps = [*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    _Written.service, _Written.steps = service, steps
    structlog.configure(
        processors=steps,
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
    handler.addFilter(RepeatedMessages("opentelemetry"))
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
