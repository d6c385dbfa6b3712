"""The question that a container engine asks of each process."""

import asyncio

import pytest

from shared.runtime.health import Health, serve_health
from shared.runtime.healthcheck import check


@pytest.mark.parametrize(("ok", "path", "code"), [(True, "/readyz", 0), (False, "/readyz", 1), (False, "/livez", 0)])
async def test_it_says_what_the_process_says(ok: bool, path: str, code: int) -> None:
    health = Health()
    health.set("kafka", ok, "it is away")
    async with serve_health(health, 0) as port:
        found, text = await asyncio.to_thread(check, [path], {"PAPPUS_HEALTH_PORT": str(port)})
    assert found == code
    assert "it is away" in text


@pytest.mark.parametrize("port", ["1", "x"])
def test_no_answer_is_an_answer(port: str) -> None:
    code, text = check([], {"PAPPUS_HEALTH_PORT": port})
    assert code == 1
    assert port in text
