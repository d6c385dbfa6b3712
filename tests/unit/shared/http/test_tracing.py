"""A trace for every request."""

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.runtime import tracing

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("test"))
    return exporter


async def test_a_request_is_one_span_in_the_trace_of_the_caller(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter
) -> None:
    response = await client.get("/trace", headers={"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"})

    assert response.json() == TRACE_ID
    assert [span.name for span in spans.get_finished_spans()] == ["GET /trace"]


async def test_a_read_without_a_trace_has_one_that_is_not_recorded(
    client: httpx2.AsyncClient, spans: InMemorySpanExporter
) -> None:
    first, second = [(await client.get("/trace")).json() for _ in range(2)]

    assert len(spans.get_finished_spans()) == 0
    assert len({first, second, None}) == 3


async def test_a_command_without_a_trace_begins_one(client: httpx2.AsyncClient, spans: InMemorySpanExporter) -> None:
    response = await client.post("/trace")

    (span,) = spans.get_finished_spans()
    assert response.headers["x-trace-id"] == response.json() == f"{span.context.trace_id:032x}"
    assert span.name == "POST /trace"
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200


async def test_probes_have_no_span(client: httpx2.AsyncClient, spans: InMemorySpanExporter) -> None:
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200
    assert not spans.get_finished_spans()
