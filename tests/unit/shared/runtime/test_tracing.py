"""Spans that continue what led to them, or link to it."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.messaging.event_log import Record
from shared.messaging.tracing import SendSpan, describe_event, process_span, recorded_parent
from shared.runtime import tracing
from shared.runtime.tracing import MOST_LINKS, add_links, caused_by, continued, current_trace_id, inside, traceparent
from shared.testing import image_stored

ONE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("test"))
    monkeypatch.setattr("shared.messaging.tracing.tracer", lambda: provider.get_tracer("test"))
    return exporter


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


def test_one_cause_is_the_parent(spans: InMemorySpanExporter) -> None:
    with caused_by([ONE], "make"):
        assert current_trace_id() == ONE.split("-")[1]
    assert only(spans).parent is not None
    assert not only(spans).links


def test_several_causes_are_links_of_a_trace_of_its_own(spans: InMemorySpanExporter) -> None:
    with continued(ONE, "something else"), caused_by([ONE, OTHER], "make") as made:
        assert f"{made.get_span_context().trace_id:032x}" not in (ONE.split("-")[1], OTHER.split("-")[1])
    made_span, _ = spans.get_finished_spans()
    assert made_span.parent is None
    assert [f"{link.context.span_id:016x}" for link in made_span.links] == [ONE.split("-")[2], OTHER.split("-")[2]]


def test_without_a_known_cause_a_trace_begins(spans: InMemorySpanExporter) -> None:
    with caused_by([], "make"):
        assert current_trace_id() is not None
    assert only(spans).parent is None


def test_of_very_many_causes_the_newest_are_kept(spans: InMemorySpanExporter) -> None:
    parents = [f"00-{number:032x}-{number:016x}-01" for number in range(1, MOST_LINKS + 10)]
    with caused_by(parents, "make"):
        add_links(["what is no traceparent"])
    assert only(spans).links[-1].context.trace_id == MOST_LINKS + 9


def test_work_that_began_earlier_is_drawn_from_there(spans: InMemorySpanExporter) -> None:
    with caused_by([ONE], "make", began=1_000_000_000):
        pass
    assert only(spans).start_time == 1_000_000_000


def test_inside_a_trace_there_is_no_span_of_its_own(spans: InMemorySpanExporter) -> None:
    with inside(ONE):
        assert traceparent() == ONE
    assert traceparent() is None
    assert not spans.get_finished_spans()


def test_what_is_repeated_all_the_time_is_in_no_recorded_trace(spans: InMemorySpanExporter) -> None:
    with inside(None):
        assert (traceparent() or "").endswith("-00")
        with continued(None, "again"):
            pass
    assert not spans.get_finished_spans()


def test_a_record_says_where_it_was_sent_and_its_reader_what_it_is(spans: InMemorySpanExporter) -> None:
    event = image_stored()
    sent = SendSpan(event.topic, event.key, event)
    record = Record(event.topic, 1, 7, event.key, b"", tuple(sent.headers()))
    sent.end()
    with process_span(record, group="predictor-worker"):
        describe_event(event)
    send, process = spans.get_finished_spans()
    assert (send.name, process.name) == ("send image.stored", "process image.stored")
    assert process.parent is not None
    assert process.parent.span_id == send.context.span_id
    assert process.attributes is not None
    assert process.attributes["messaging.consumer.group.name"] == "predictor-worker"
    assert process.attributes["messaging.message.id"] == str(event.event_id)
    assert process.attributes["pappus.image_id"] == str(event.image_id)


def test_a_send_that_failed_says_so(spans: InMemorySpanExporter) -> None:
    SendSpan("image.stored", None).end(TimeoutError())
    attributes = only(spans).attributes
    assert attributes is not None
    assert attributes["error.type"] == "TimeoutError"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ((("traceparent", ONE.encode()),), ONE),
        ((("traceparent", ONE.replace("-01", "-03").encode()),), ONE.replace("-01", "-03")),
        ((("traceparent", ONE.replace("-01", "-00").encode()),), None),
        ((("traceparent", ONE.replace("-01", "-02").encode()),), None),
        ((("other", b"x"),), None),
        ((), None),
    ],
)
def test_only_a_recorded_trace_is_worth_keeping(headers: tuple[tuple[str, bytes], ...], found: str | None) -> None:
    assert recorded_parent(Record("image.stored", 0, 0, None, None, headers)) == found


REQUESTS = """
import random
from shared.runtime import tracing
tracing.configure_traces("service", {exporter!r}, {ratio})
random.seed(1)
parents = {{None: None, "recorded": "00-{trace}-b7ad6b7169203331-01", "not": "00-{trace}-b7ad6b7169203331-00"}}
for name, parent in parents.items():
    spans = [tracing.begin_span(parent, "POST /predict") for _ in range(1000)]
    ids = {{tracing.span_id_of(span) for span in spans}}
    traces = {{tracing.trace_id_of(span) for span in spans}}
    print(name, sum(span.is_recording() for span in spans), len(ids), len(traces), None in ids | traces)
import os
os._exit(0)  # without what the exporter has not yet written
"""
"""A process has one provider, so each is a process of its own."""


def requests(exporter: str, ratio: float) -> dict[str, tuple[int, int, int]]:
    """Return of each 1,000 requests: how many spans are recorded, how many ids of spans there are, and of traces."""
    script = REQUESTS.format(exporter=exporter, ratio=ratio, trace="0af7651916cd43dd8448eb211c80319c")
    command = [sys.executable, "-u", "-c", script]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert all(without == "False" for *_, without in lines)
    return {name: (int(recorded), int(ids), int(traces)) for name, recorded, ids, traces, _ in lines}


def test_of_requests_the_share_is_recorded_and_that_of_a_caller_is_kept() -> None:
    found = requests("console", 0.25)
    recorded, ids, traces = found["None"]
    assert 200 < recorded < 300
    assert (ids, traces) == (1000, 1000)
    assert found["recorded"] == (1000, 1000, 1)
    assert found["not"] == (0, 1000, 1)


@pytest.mark.parametrize(
    ("exporter", "ratio", "recorded"), [("console", 1.0, 1000), ("console", 0.0, 0), ("none", 1.0, 0)]
)
def test_all_or_none_of_the_requests_are_recorded(exporter: str, ratio: float, recorded: int) -> None:
    assert requests(exporter, ratio)["None"] == (recorded, 1000, 1000)
