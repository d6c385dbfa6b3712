"""What a browser may do with an API."""

import httpx2
import pytest

from shared.http.api import Api
from shared.http.browsers import HEADERS, POLICY
from shared.http.docs import PAGE_POLICY
from shared.runtime.health import Health

OWN = "http://localhost"


async def post(client: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
    return await client.post("/length", content=b"abc", headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize("path", ["/double?number=2", "/nowhere", "/bug", "/livez", "/docs"])
async def test_every_answer_has_the_headers_for_browsers(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    own = {"Content-Security-Policy": PAGE_POLICY} if path == "/docs" else {}
    assert {name: answer.headers[name] for name in HEADERS} == {**HEADERS, **own}


def test_the_page_of_the_api_may_show_pictures_from_memory_and_no_more() -> None:
    assert PAGE_POLICY.replace("blob: ", "") == POLICY
    assert "img-src blob: 'self'" in PAGE_POLICY
    assert "default-src 'none'; script-src 'self';" in PAGE_POLICY


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:28000",
        "cluster.local.evil.example",
        "localhost.evil.example",
        "evil.example.",
        "",
        "[::1",
        "1.2.3.4.5",
    ],
)
async def test_a_name_that_is_not_ours_is_refused(client: httpx2.AsyncClient, host: str) -> None:
    for path in ("/double?number=2", "/metrics"):
        refused = await client.get(path, headers={"Host": host})
        assert (refused.status_code, refused.json()["error"]) == (421, "unknown_host")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:28000",
        "LOCALHOST",
        "[::1]:28000",
        "10.0.0.7",
        "labeler-api:28100",
        "a.localhost",
        "predictor.pappus.svc",
    ],
)
async def test_addresses_and_local_names_are_ours(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get("/double?number=2", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(("more", "status"), [((), 421), (("plants.example",), 200), (("*",), 200)])
async def test_further_names_are_a_setting(more: tuple[str, ...], status: int) -> None:
    api = Api("Test", "", Health(), 1, hosts=more)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url="http://plants.example") as client:
        assert (await client.get("/livez")).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_a_command_from_a_page_of_another_origin_is_refused(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    refused = await post(client, **headers)
    assert (refused.status_code, refused.json()["error"]) == (403, "foreign_origin")


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": OWN}, {"Origin": OWN, "Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}]
)
async def test_own_pages_and_programs_may_command(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    assert (await post(client, **headers)).json() == 3


async def test_the_page_of_the_api_needs_no_other_server(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    for path in ("start.js", "page.css", "assets/swagger-ui.css", "assets/swagger-ui-bundle.js", "assets/favicon.png"):
        assert f"docs/{path}" in page.text
        assert (await client.get(f"/docs/{path}")).status_code == 200
    assert "<script>" not in page.text  # the policy lets no script run that stands in a page
