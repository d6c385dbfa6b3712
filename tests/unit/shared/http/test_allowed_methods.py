"""A refused method is told all methods of its path, of several routes too (RFC 9110, 15.5.6)."""

import httpx2
import pytest
from fastapi import APIRouter

from shared.http.api import Api
from shared.runtime.health import HEALTH_PATHS


@pytest.fixture
def api(api: Api) -> Api:
    """With routes that share their paths: side by side, in included routers, and by a parameter of the path."""
    paper, ink = APIRouter(prefix="/paper"), APIRouter(prefix="/paper")

    @paper.get("")
    @paper.put("")
    @ink.post("")
    @ink.patch("/{colour:path}")
    @paper.get("/white")
    @api.delete("/paper/white")
    async def done() -> None:
        return None

    api.include_router(paper)
    api.include_router(ink, prefix="")
    return api


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/paper", "GET, POST, PUT"),
        ("/paper?colour=red", "GET, POST, PUT"),
        ("/paper/white", "DELETE, GET"),
        ("/paper/red/dark", "PATCH"),
        ("/double", "GET"),
        ("/docs", "GET"),
        ("/openapi.json", "GET, HEAD"),
        ("/docs/assets/swagger-ui.css", "GET, HEAD"),
        *((path, "GET") for path in HEALTH_PATHS),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
async def test_it_names_the_methods_of_every_route_of_a_path(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    refused = await client.request(method, path)

    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
    assert refused.json()["error"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/paper", "/paper/white", "/double", "/openapi.json", "/docs/assets/swagger-ui.css"])
async def test_exactly_the_methods_that_it_names_are_answered(client: httpx2.AsyncClient, path: str) -> None:
    methods = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
    answered = [each for each in methods if (await client.request(each, path)).status_code != 405]

    assert (await client.request("TRACE", path)).headers["allow"].split(", ") == answered


async def test_a_word_of_a_path_is_no_value_of_a_parameter(client: httpx2.AsyncClient) -> None:
    assert (await client.patch("/paper/black")).status_code == 200
    refused = await client.patch("/paper/white")

    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET")
    assert refused.json()["detail"].startswith("PATCH /paper/white: this path has DELETE, GET.")


async def test_a_path_that_nothing_answers_has_no_methods(client: httpx2.AsyncClient) -> None:
    refused = await client.request("TRACE", "/nowhere")

    assert (refused.status_code, refused.headers.get("allow")) == (404, None)
