"""Requests are counted by their route, and only real ones."""

import httpx2
from prometheus_client import REGISTRY


def count(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("pappus_http_requests_total", labels) or 0.0


async def test_a_request_is_counted_by_route_and_status(client: httpx2.AsyncClient) -> None:
    before = count("GET", "/problem", 409)
    older = REGISTRY.get_sample_value("request_count_total", {"method": "GET", "endpoint": "/problem"}) or 0.0
    await client.get("/problem?with=query")
    assert count("GET", "/problem", 409) == before + 1
    assert REGISTRY.get_sample_value("request_count_total", {"method": "GET", "endpoint": "/problem"}) == older + 1


async def test_what_strangers_ask_makes_no_series_of_its_own(client: httpx2.AsyncClient) -> None:
    before = count("GET", "none", 404)
    for path in ("/wp-admin", "/.env"):
        await client.get(path)
    await client.request("BREW", "/pot")
    assert count("GET", "none", 404) == before + 2
    known = {s.labels["method"] for m in REGISTRY.collect() if m.name == "pappus_http_requests" for s in m.samples}
    assert "BREW" not in known


async def test_probes_are_no_requests(client: httpx2.AsyncClient) -> None:
    before = count("GET", "/livez", 200) + count("GET", "none", 200)
    await client.get("/livez")
    await client.get("/metrics")
    assert count("GET", "/livez", 200) + count("GET", "none", 200) == before
