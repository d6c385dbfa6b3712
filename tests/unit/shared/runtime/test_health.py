"""What a process says about itself."""

import asyncio
import json

import aiohttp
import pytest

from shared.runtime import health as health_module
from shared.runtime.health import HEADERS, HEALTH_PATHS, Health, health_response, serve_health
from shared.runtime.metrics import EVENTS_HANDLED


def test_a_process_that_has_said_nothing_is_alive_but_not_ready() -> None:
    health = Health()
    assert health.live
    assert not health.ready


def test_it_is_ready_when_every_part_is_well() -> None:
    health = Health()
    health.set("projection", True)
    assert health.ready
    health.set("handler", False, "Kafka is away")
    assert not health.ready
    assert health.live
    assert health.report()["parts"]["handler"] == {"ok": False, "detail": "Kafka is away"}


def test_a_dead_part_makes_the_process_dead() -> None:
    health = Health()
    health.dead("handler", "KeyError: a bug")
    assert not health.live
    assert not health.ready


def test_readiness_waits_only_for_the_parts_that_are_needed() -> None:
    health = Health(needed=["model"])
    health.set("follower", False, "Kafka is away")
    assert not health.ready
    health.set("model", True)
    assert health.ready
    assert not health.ok


@pytest.mark.parametrize(("path", "status"), [("/livez", 200), ("/readyz", 503), ("/health", 503), ("/metrics", 200)])
def test_each_path_has_its_answer(path: str, status: int) -> None:
    health = Health()
    health.set("projection", False, "behind")
    answer = health_response(health, path)
    assert answer.status == status
    assert answer.body


def test_any_other_path_is_refused() -> None:
    with pytest.raises(KeyError):
        health_response(Health(), "/")


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/nowhere"])
async def test_every_answer_of_a_health_port_has_the_headers_for_browsers(path: str) -> None:
    async with serve_health(Health(), 0) as port, aiohttp.ClientSession() as client:
        answers = [await client.get(f"http://127.0.0.1:{port}{path}"), await client.post(f"http://127.0.0.1:{port}/")]
        for answer in answers:
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("ingestor:8080", 200),
        ("a.ingestor.svc.cluster.local", 200),
        ("", 421),
        ("evil.example", 421),
        ("evil.example:8080", 421),
    ],
)
async def test_a_health_port_answers_no_page_under_a_public_name(host: str, status: int) -> None:
    health = Health()
    health.set("projection", True)
    async with serve_health(health, 0) as port, aiohttp.ClientSession() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics", headers={"Host": host})
        assert answer.status == status
        assert ("python_info" in await answer.text()) == (status == 200)


async def test_it_is_served_over_http_on_a_free_port() -> None:
    health = Health()
    async with serve_health(health, 0) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        async with client.get("/readyz") as answer:
            assert answer.status == 503
        health.set("projection", True)
        async with client.get("/readyz") as answer:
            assert answer.status == 200
            assert json.loads(await answer.text())["parts"] == {"projection": {"ok": True, "detail": ""}}
        async with client.get("/metrics") as answer:
            assert next(iter(EVENTS_HANDLED.describe())).name in await answer.text()
            assert answer.headers["Content-Type"].startswith("text/plain")
    assert len(HEALTH_PATHS) == 4


@pytest.mark.parametrize(
    "half", [b"", b"GET /livez HTTP/1.1\r\nX-Half", b"POST / HTTP/1.1\r\nContent-Length: 9\r\nHost: x\r\n\r\nhalf"]
)
async def test_a_request_that_is_half_sent_ends_with_its_connection(
    half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "CONNECTION_SECONDS", 0.1)
    async with serve_health(Health(), 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(half)
        came = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert came.split(b" ")[1] in (b"408", b"405")


async def test_only_questions_about_health_are_answered() -> None:
    async with serve_health(Health(), 0) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        statuses = [(await client.request(*what)).status for what in (("GET", "/"), ("POST", "/livez"))]
    assert statuses == [404, 405]
