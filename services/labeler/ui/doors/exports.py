"""Exports for the browser: it downloads them from the pages, which ask the labeler's API with the login in the cookie.
They go through as they come: nothing is collected."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from services.labeler.ui.sessions import cookie

PATH = "/export"
PASSED_ON = ("content-type", "content-disposition")
SILENCE_SECONDS = 60.0
LOGGED_OUT = "The session has ended. Log in again, then export."
UNAVAILABLE = "The labeler does not answer. Try again in a moment."


class ExportDoor:
    """Passes on GET /images/export of the labeler's API. `transport` replaces the network, for tests."""

    def __init__(self, labeler_url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._labeler_url = labeler_url
        self._transport = transport

    async def answer(self, request: Request) -> Response:
        """Answer with the export, or with a sentence why there is none."""
        session = cookie.decode(request.cookies.get(cookie.COOKIE))
        if session is None:
            return PlainTextResponse(LOGGED_OUT, 401)
        async with AsyncExitStack() as opened:
            http = await opened.enter_async_context(
                httpx2.AsyncClient(timeout=SILENCE_SECONDS, transport=self._transport)
            )
            url = f"{self._labeler_url}/images/export?{request.url.query}"
            try:
                asked = http.stream("GET", url, headers={"Authorization": f"Bearer {session.token}"})
                found = await opened.enter_async_context(asked)
                if found.status_code != 200:
                    return PlainTextResponse(await _reason(found), found.status_code)
            except (httpx2.HTTPError, httpx2.InvalidURL):
                return PlainTextResponse(UNAVAILABLE, 503)
            headers = {name: found.headers[name] for name in PASSED_ON if name in found.headers}
            return StreamingResponse(_passed_on(found, opened.pop_all()), headers=headers)


async def _passed_on(found: httpx2.Response, opened: AsyncExitStack) -> AsyncIterator[bytes]:
    async with opened:
        async for chunk in found.aiter_bytes():
            yield chunk


async def _reason(found: httpx2.Response) -> str:
    if found.status_code == 401:
        return LOGGED_OUT
    await found.aread()
    try:
        return str(found.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return UNAVAILABLE
