"""Logs as JSON, and trace context that survives the log."""

import json
import logging
import subprocess
import sys

from shared.messaging.event_log import Record
from shared.messaging.tracing import process_span
from shared.runtime.telemetry import RepeatedMessages
from shared.runtime.tracing import continued, current_trace_id, traceparent, tracer

PROGRAM = """
import logging
from datetime import UTC, datetime
from uuid import UUID
from shared.messaging.event_log import Record
from shared.runtime.settings import Settings
from shared.runtime.telemetry import Line, configure, log_many, logger
from shared.messaging.tracing import describe_event, process_span
from shared.testing import image_stored

configure("ingestor", Settings())
with process_span(Record("image.stored", 2, 17, "key", None)):
    describe_event(image_stored(image_id=UUID(int=7)))
    logger.info("stored", event_id="an id")
log_many("answered", [Line(datetime(2026, 1, 1, tzinfo=UTC), {"number": number}) for number in (1, 2)])
logging.getLogger("some.library").warning("of a %s", "library")
for _ in range(100):
    logging.getLogger("aiokafka.cluster").error("Topic %s is not available", "image.stored")
try:
    raise KeyError("a bug")
except KeyError:
    logger.exception("failed")
"""


def test_every_line_of_a_process_is_json_with_its_service_trace_and_place() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=30)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    stored, *answered, library, missing, failed = lines
    assert all(line["service"] == "ingestor" and line["level"] and line["time"] for line in lines)
    assert (stored["event"], stored["event_id"], stored["topic"], stored["offset"]) == (
        "stored",
        "an id",
        "image.stored",
        17,
    )
    assert stored["image_id"] == "00000000-0000-0000-0000-000000000007"
    assert answered == [
        {
            "number": n,
            "event": "answered",
            "level": "info",
            "time": "2026-01-01T00:00:00.000000Z",
            "service": "ingestor",
        }
        for n in (1, 2)
    ]
    assert not [line for line in lines[1:] if "image_id" in line], "what comes after is about no image"
    assert len(stored["trace_id"]) == 32
    assert (library["event"], library["logger"]) == ("of a library", "some.library")
    assert missing["event"] == "Topic image.stored is not available", "a hundred times, and once in the log"
    assert "KeyError" in failed["exception"]


FULL = """
import os, sys
from datetime import UTC, datetime
from shared.runtime.settings import Settings
from shared.runtime.telemetry import Line, configure, log_many

sys.stdout = open("/dev/full", "w", buffering=1)
configure("ingestor", Settings())
for _ in range(3):
    log_many("answered", [Line(datetime(2026, 1, 1, tzinfo=UTC), {"number": 1})])
print("still here", file=sys.stderr)
os._exit(0)
"""


def test_lines_that_cannot_be_written_stop_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=True, timeout=30)
    assert "still here" in done.stderr


def record_with(headers: list[tuple[str, bytes]]) -> Record:
    return Record("image.stored", 0, 1, "key", b"{}", tuple(headers))


def test_the_trace_goes_on_in_the_reader_of_the_record(tracing: None) -> None:
    with tracer().start_as_current_span("publish") as sent:
        headers = [("traceparent", (traceparent() or "").encode())]
    assert current_trace_id() is None
    with process_span(record_with(headers)) as received:
        assert received.get_span_context().trace_id == sent.get_span_context().trace_id
        assert received.get_span_context().span_id != sent.get_span_context().span_id
        assert current_trace_id() == f"{sent.get_span_context().trace_id:032x}"


def test_a_record_without_headers_starts_a_trace(tracing: None) -> None:
    with process_span(record_with([]), "one") as one, process_span(record_with([("traceparent", b"\xff")]), "two"):
        assert one.get_span_context().is_valid
        assert current_trace_id() is not None


def test_a_trace_kept_in_a_row_goes_on_where_the_row_is_published(tracing: None) -> None:
    assert traceparent() is None
    with tracer().start_as_current_span("insert") as inserted:
        kept = traceparent()
    with continued(kept, "announce") as announced:
        assert announced.get_span_context().trace_id == inserted.get_span_context().trace_id
    with continued(None, "announce") as other:
        assert other.get_span_context().trace_id != inserted.get_span_context().trace_id


def test_repeated_messages_of_other_libraries_pass() -> None:
    quiet = RepeatedMessages("aiokafka")
    ours = logging.LogRecord("shared", logging.INFO, __file__, 1, "again", None, None)
    theirs = logging.LogRecord("aiokafka.cluster", logging.INFO, __file__, 1, "again", None, None)
    assert [quiet.filter(ours), quiet.filter(ours)] == [True, True]
    assert [quiet.filter(theirs), quiet.filter(theirs)] == [True, False]
