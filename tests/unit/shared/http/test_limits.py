"""How long the body of a request may be, how slowly it may come, and how much room all bodies have."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest
from fastapi import Request

from shared.http import limits
from shared.http.api import Api
from shared.http.limits import FORM_BYTES, BodyBudget, bytes_as_base64
from shared.http.problems import Problem
from shared.runtime.health import Health

from .conftest import LIMIT_BYTES

FORM = {"Content-Type": "multipart/form-data; boundary=abc"}


async def stalled(first: bytes = b"abc") -> AsyncIterator[bytes]:
    """A body that never ends."""
    yield first
    await asyncio.Event().wait()


async def test_a_form_around_a_file_of_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    body = bytes(LIMIT_BYTES + FORM_BYTES)
    assert (await client.post("/length", content=body, headers=FORM)).json() == len(body)


async def test_a_body_above_the_limit_is_refused_with_the_limit(client: httpx2.AsyncClient) -> None:
    response = await client.post("/length", content=bytes(LIMIT_BYTES + FORM_BYTES + 1), headers=FORM)

    assert (response.status_code, response.json()["error"]) == (413, "too_large")
    assert "at most 1,000 bytes" in response.json()["detail"]


async def test_a_body_that_is_no_form_has_a_limit_of_its_own(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/length", content=bytes(FORM_BYTES))).json() == FORM_BYTES
    response = await client.post("/length", content=bytes(FORM_BYTES + 1))
    assert (response.status_code, response.json()["error"]) == (413, "too_large")
    assert "65,536" in response.json()["detail"]


async def test_a_path_may_have_a_limit_of_its_own_for_bodies_that_are_no_forms(health: Health) -> None:
    api = Api("Test", "An API for tests.", health, LIMIT_BYTES, body_limits={"/large/": 200_000})

    @api.post("/large/length")
    @api.post("/length", name="other_length")
    async def length(request: Request) -> int:
        return len(await request.body())

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url="http://localhost") as client:
        assert (await client.post("/large/length", content=bytes(200_000))).json() == 200_000
        refused = await client.post("/large/length", content=bytes(200_001))
        assert (refused.status_code, "200,000" in refused.json()["detail"]) == (413, True)
        assert (await client.post("/length", content=bytes(FORM_BYTES + 1))).status_code == 413
        form = await client.post("/large/length", content=bytes(LIMIT_BYTES + FORM_BYTES + 1), headers=FORM)
        assert (form.status_code, "1,000" in form.json()["detail"]) == (413, True)


@pytest.mark.parametrize("size_bytes", [0, 1, 56, 57, 58, 10_000])
def test_base64_in_json_fits_its_limit_with_lines_and_without(size_bytes: int) -> None:
    data = bytes(size_bytes)
    for text in (base64.encodebytes(data), base64.b64encode(data)):
        assert len(json.dumps(text.decode())) - 2 <= bytes_as_base64(size_bytes) - FORM_BYTES


async def test_a_body_of_unknown_length_is_not_read_to_its_end(client: httpx2.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(10_000)

    response = await client.post("/length", content=endless(), headers=FORM)

    assert response.status_code == 413
    assert sent < 20


async def test_a_route_that_reads_no_body_is_answered(client: httpx2.AsyncClient) -> None:
    response = await client.request("GET", "/double?number=2", content=bytes(LIMIT_BYTES + FORM_BYTES + 1))

    assert response.json() == 4


async def test_a_body_that_does_not_come_in_time_is_408(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)

    response = await client.post("/length", content=stalled())

    assert (response.status_code, response.json()["error"]) == (408, "body_timeout")
    assert response.headers["connection"] == "close"


async def test_a_body_has_more_time_the_more_of_it_came(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(limits, "BODY_BYTES_PER_SECOND", 10)

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(100)  # worth 10 s
        await asyncio.sleep(0.1)
        yield b"end"

    assert (await client.post("/length", content=slow())).json() == 103


async def test_a_stalled_body_makes_room_for_one_that_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STALLED_SECONDS", -1.0)
    budget = BodyBudget(limit_bytes=100)
    now = asyncio.get_running_loop().time()
    with budget.body() as stalled_body, budget.body() as moving:
        with suppress(TimeoutError):
            async with asyncio.timeout(30) as stalled_body.waiting:
                budget.add(stalled_body, 80, now)
                budget.add(moving, 80, now)
                await asyncio.Event().wait()
        assert stalled_body.given_up
        assert moving.size_bytes == 80


async def test_without_room_or_a_stalled_body_a_request_is_refused_for_now() -> None:
    budget = BodyBudget(limit_bytes=100)
    with budget.body() as whole:
        budget.add(whole, 80, 0.0)
        with budget.body() as late, pytest.raises(Problem) as refused:
            budget.add(late, 80, 0.0)
        assert (refused.value.status_code, refused.value.error) == (503, "overloaded")
    with budget.body() as next_one:
        budget.add(next_one, 80, 0.0)
