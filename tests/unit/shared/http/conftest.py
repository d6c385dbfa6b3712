"""An API with a route for each way a request can end."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import Request

from shared.http.api import Api
from shared.http.problems import Problem, problem_responses
from shared.runtime.errors import TransientError
from shared.runtime.health import Health
from shared.runtime.tracing import current_trace_id

LIMIT_BYTES = 1_000


class OutOfPaper(Exception):
    """An exception of some service."""


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def api(health: Health) -> Api:
    app = Api("Test", "An API for tests.", health, LIMIT_BYTES)
    app.report_as(OutOfPaper, lambda error: Problem(409, "out_of_paper", f"{error} Add paper."))

    @app.get("/problem", responses=problem_responses(409, 503))
    async def problem() -> None:
        raise Problem(409, "superseded", "Too late.", {"revision": 3, "status": "mine"}, headers={"X-Extra": "1"})

    @app.get("/busy")
    async def busy() -> None:
        raise Problem(429, "overloaded", "Ask again.", retry_after_seconds=7)

    @app.get("/own")
    async def own() -> None:
        raise OutOfPaper("The tray is empty.")

    @app.get("/away")
    async def away() -> None:
        raise TransientError("Kafka is away.")

    @app.get("/bug")
    async def bug() -> None:
        raise KeyError("a secret of the inside")

    @app.get("/double")
    async def double(number: int) -> int:
        return 2 * number

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/trace")
    @app.get("/trace", name="trace_of_a_read")
    async def trace() -> str | None:
        return current_trace_id()

    return app


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(api, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened
