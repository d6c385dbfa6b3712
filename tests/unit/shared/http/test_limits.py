"""How long the body of a request may be."""

from collections.abc import AsyncIterator

import httpx2

from shared.http.limits import FORM_BYTES

from .conftest import LIMIT_BYTES


async def test_a_form_around_a_file_of_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/length", content=bytes(LIMIT_BYTES + FORM_BYTES))).json() == LIMIT_BYTES + FORM_BYTES


async def test_a_body_above_the_limit_is_refused_with_the_limit(client: httpx2.AsyncClient) -> None:
    response = await client.post("/length", content=bytes(LIMIT_BYTES + FORM_BYTES + 1))

    assert (response.status_code, response.json()["error"]) == (413, "too_large")
    assert "at most 1,000 bytes" in response.json()["detail"]


async def test_a_body_of_unknown_length_is_not_read_to_its_end(client: httpx2.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(10_000)

    response = await client.post("/length", content=endless())

    assert response.status_code == 413
    assert sent < 20


async def test_a_route_that_reads_no_body_is_answered(client: httpx2.AsyncClient) -> None:
    response = await client.request("GET", "/double?number=2", content=bytes(LIMIT_BYTES + FORM_BYTES + 1))

    assert response.json() == 4
