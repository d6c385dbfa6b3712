"""Traces of Jaeger: found by what they are about, put together, drawn, with what is missing in them."""

import json
from typing import Any

import httpx2
import pytest

from pappus.errors import Refused
from pappus.traces.graph import Trace, read_trace
from pappus.traces.jaeger import Jaeger

IMAGE = "7f7d1b59-7e0c-4f0e-8f9a-1d6c8a7f0a01"
UPLOAD, TRAINING = "a" * 32, "b" * 32


def span(
    trace_id: str, span_id: str, process: str, name: str, start: int, parent: str | None = None, **tags: str
) -> dict[str, Any]:
    references = [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": parent}] if parent else []
    described = [{"key": f"pappus.{key}", "type": "string", "value": value} for key, value in tags.items()]
    return {
        "traceID": trace_id,
        "spanID": span_id,
        "processID": process,
        "operationName": name,
        "startTime": start,
        "duration": 100,
        "references": references,
        "tags": described,
    }


PROCESSES = {
    "p1": {"serviceName": "labeler-api"},
    "p2": {"serviceName": "ingestor", "tags": [{"key": "service.instance.id", "value": "ingestor-1"}]},
}
UPLOADED: dict[str, Any] = {
    "traceID": UPLOAD,
    "processes": PROCESSES,
    "spans": [
        span(UPLOAD, "2", "p2", "process image.registered", 1_200, "1", image_id=IMAGE),
        span(UPLOAD, "1", "p1", "POST /images", 1_000),
        span(UPLOAD, "3", "p2", "send image.stored", 1_250, "2", image_id=IMAGE),
        span(UPLOAD, "1", "p1", "POST /images", 1_000),
    ],
}
TRAINED: dict[str, Any] = {
    "traceID": TRAINING,
    "processes": PROCESSES,
    "spans": [
        {
            **span(TRAINING, "9", "p2", "reconcile fast lane", 2_000, version="fast-1"),
            "references": [{"refType": "FOLLOWS_FROM", "traceID": UPLOAD, "spanID": "3"}],
        },
        span(TRAINING, "8", "p1", "fold model.promoted", 2_500, "lost"),
    ],
}


def answer(request: httpx2.Request) -> httpx2.Response:
    """Answer as Jaeger's query API does."""
    path = request.url.path
    if path == "/api/services":
        return httpx2.Response(200, json={"data": ["labeler-api", "ingestor"]})
    if path == "/api/traces":
        tags = json.loads(request.url.params["tags"])
        if request.url.params["service"] == "ingestor" and tags == {"pappus.image_id": IMAGE}:
            return httpx2.Response(200, json={"data": [UPLOADED]})
        if tags == {"pappus.version": "fast-1"}:
            return httpx2.Response(200, json={"data": [TRAINED]})
        return httpx2.Response(200, json={"data": []})
    known = {f"/api/traces/{UPLOAD}": UPLOADED, f"/api/traces/{TRAINING}": TRAINED}
    if path in known:
        return httpx2.Response(200, json={"data": [known[path]]})
    return httpx2.Response(404, json={"data": None})


@pytest.fixture
def jaeger() -> Jaeger:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://jaeger")
    return Jaeger(http, "Is it running?")


def test_a_trace_is_a_tree_in_the_order_of_time() -> None:
    found = read_trace(UPLOADED)
    assert [(depth, each.name) for depth, each in found.walk()] == [
        (0, "POST /images"),
        (1, "process image.registered"),
        (2, "send image.stored"),
    ]
    assert found.services == ["labeler-api", "ingestor-1"]
    assert (found.start, found.end, found.orphans, found.links) == (1_000, 1_350, [], [])


def test_a_span_whose_parent_is_missing_is_an_orphan_and_is_drawn() -> None:
    found = read_trace(TRAINED)
    assert [each.name for each in found.orphans] == ["fold model.promoted"]
    assert [depth for depth, _ in found.walk()] == [0, 0]
    assert found.links == [UPLOAD]


async def test_an_image_is_found_by_its_id_in_any_service(jaeger: Jaeger) -> None:
    assert [found.trace_id for found in await jaeger.find(IMAGE)] == [UPLOAD]


async def test_a_model_is_found_by_its_version_with_what_led_to_it(jaeger: Jaeger) -> None:
    found = await jaeger.find("fast-1")
    assert [each.trace_id for each in found] == [TRAINING]
    assert [each.trace_id for each in await jaeger.follow_links(found)] == [UPLOAD]


async def test_a_trace_is_found_by_its_own_id(jaeger: Jaeger) -> None:
    assert [found.trace_id for found in await jaeger.find(UPLOAD)] == [UPLOAD]
    assert await jaeger.find("c" * 32) == []


@pytest.mark.parametrize(
    "broken", [httpx2.Response(500), httpx2.Response(200, text="no JSON"), httpx2.Response(200, json={})]
)
async def test_a_jaeger_that_does_not_answer_is_refused_with_what_to_check(broken: httpx2.Response) -> None:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: broken), base_url="http://jaeger")
    with pytest.raises(Refused, match=r"Jaeger at http://jaeger.* does not answer.* Is it running\?"):
        await Jaeger(http, "Is it running?").find(IMAGE)


def test_links_to_the_trace_itself_are_no_causes() -> None:
    assert Trace(UPLOAD, read_trace(UPLOADED).spans).links == []
