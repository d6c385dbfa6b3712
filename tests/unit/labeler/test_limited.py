"""How much a request may bring."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from services.labeler.api.middleware import FORM_BYTES, BodyLimitMiddleware
from services.labeler.settings import LIMIT_MEGABYTES, LabelerSettings
from services.predictor.settings import PredictorSettings

LIMIT = 1_000


async def taken(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads all of the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


async def bring(size_bytes: int) -> httpx2.Response:
    """Send a body of this size."""
    transport = httpx2.ASGITransport(app=BodyLimitMiddleware(taken, upload_limit_bytes=LIMIT))
    async with httpx2.AsyncClient(transport=transport, base_url="http://labeler") as client:
        return await client.post("/", content=bytes(size_bytes))


async def test_a_form_around_a_file_of_the_limit_is_taken() -> None:
    assert (await bring(LIMIT + FORM_BYTES)).text == str(LIMIT + FORM_BYTES)


async def test_what_is_too_long_is_refused_with_the_limit_of_the_file() -> None:
    answer = await bring(LIMIT + FORM_BYTES + 1)

    assert answer.status_code == 413
    assert answer.json()["detail"] == "At most 1,000 bytes are taken. Choose a smaller file."


@pytest.mark.parametrize("settings", [LabelerSettings, PredictorSettings])
def test_what_the_page_takes_the_services_take(settings: type[LabelerSettings] | type[PredictorSettings]) -> None:
    assert settings.model_fields["upload_limit_bytes"].default >= LIMIT_MEGABYTES * 2**20
