"""Each path of the predictor names its methods when another one is refused."""

import httpx2
import pytest

from shared.runtime.health import HEALTH_PATHS
from tests.unit.predictor.test_openapi import api

DESCRIBED = {path: sorted(map(str.upper, operations)) for path, operations in api().openapi()["paths"].items()}
METHODS = DESCRIBED | {path: ["GET"] for path in ("/", "/docs", *HEALTH_PATHS)}


@pytest.mark.parametrize(("path", "methods"), METHODS.items(), ids=METHODS)
async def test_a_refused_method_is_told_all_that_its_path_has(path: str, methods: list[str]) -> None:
    concrete = path.replace("{prediction_id}", "a").replace("{batch_id}", "b")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api()), base_url="http://localhost") as client:
        refused = await client.request("TRACE", concrete)

    assert (refused.status_code, refused.headers["allow"].split(", ")) == (405, methods)
