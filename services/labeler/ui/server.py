"""The web server of the pages: Streamlit, the cookie of a session, and a door before uploads."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session

SCRIPT = Path(__file__).parent / "pages" / "app.py"
UPLOADS = "/_stcore/upload_file/"
FILES_PER_TAB = 4
"""The pages hold one file; while it is replaced there may be two."""
CHECKED_SECONDS = 60.0
"""How long the labeler's word that a token is good counts."""

FilesOfTab = Callable[[str], int]


def create_app(labeler_url: str) -> st.App:
    """Return the pages as an ASGI application."""
    cookie.SERVED.set()
    routes = [Route(cookie.PATH, _set_cookie, methods=["POST"]), Route(cookie.PATH, _drop_cookie, methods=["DELETE"])]
    guard = Middleware(UploadGuard, check=TokenCheck(labeler_url), files_of_tab=files_of_tab)
    return st.App(SCRIPT, routes=routes, middleware=[guard])


async def _set_cookie(request: Request) -> Response:
    """Exchange the ticket of a login for the cookie. Only the page that the person logged in on has the ticket."""
    session = cookie.redeem((await request.body())[:200].decode("ascii", "replace"))
    if session is None:
        return PlainTextResponse("This login is used up or too old. Log in again.", 403)
    response = Response(status_code=204)
    seconds = max(0, int(session.expires_at.timestamp() - time.time()))
    secure = request.url.scheme == "https"
    response.set_cookie(
        cookie.COOKIE, cookie.encode(session), max_age=seconds, httponly=True, samesite="strict", secure=secure
    )
    return response


async def _drop_cookie(request: Request) -> Response:
    """Drop the cookie of the session with this hash, which has ended; a newer login stays."""
    response = Response(status_code=204)
    session = cookie.parse(request.cookies.get(cookie.COOKIE))
    if session is not None and cookie.token_hash(session) == (await request.body())[:200].decode("ascii", "replace"):
        response.delete_cookie(cookie.COOKIE, httponly=True, samesite="strict")
    return response


class TokenCheck:
    """Asks the labeler whether a token is good, at most once a minute for each."""

    def __init__(self, labeler_url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._labeler_url = labeler_url
        self._transport = transport
        self._good_until: dict[str, float] = {}

    async def __call__(self, session: Session) -> int:
        """Return 200 for a good token, 401 for another, 503 if the labeler does not answer."""
        key, now = cookie.token_hash(session), time.monotonic()
        if self._good_until.get(key, 0.0) > now:
            return 200
        headers = {"Authorization": f"Bearer {session.token}"}
        try:
            async with httpx2.AsyncClient(timeout=5.0, transport=self._transport) as http:
                status = (await http.get(f"{self._labeler_url}/labels", headers=headers)).status_code
        except (httpx2.HTTPError, ValueError):
            return 503
        if status != 200:
            return 401 if status in (401, 403) else 503
        self._good_until = {known: until for known, until in self._good_until.items() if until > now}
        self._good_until[key] = now + CHECKED_SECONDS
        return 200


class UploadGuard:
    """Takes files for the uploader only from people who are logged in, and few at a time: Streamlit itself keeps what
    any open socket sends it, in memory."""

    def __init__(self, app: ASGIApp, check: Callable[[Session], Awaitable[int]], files_of_tab: FilesOfTab) -> None:
        self._app = app
        self._check = check
        self._files_of_tab = files_of_tab
        self._arriving: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but uploads that are not welcome."""
        if scope["type"] != "http" or not scope["path"].startswith(UPLOADS) or scope["method"] in ("OPTIONS", "DELETE"):
            await self._app(scope, receive, send)
            return
        tab = scope["path"].removeprefix(UPLOADS).partition("/")[0]
        self._arriving[tab] += 1
        try:
            refusal = await self._refusal(scope, tab)
            await (refusal or self._app)(scope, receive, send)
        finally:
            self._arriving[tab] -= 1
            if not self._arriving[tab]:
                del self._arriving[tab]

    async def _refusal(self, scope: Scope, tab: str) -> Response | None:
        session = cookie.decode(Request(scope).cookies.get(cookie.COOKIE))
        status = 401 if session is None else await self._check(session)
        if status == 401:
            return PlainTextResponse("Log in before you upload a file.", 401)
        if status != 200:
            return PlainTextResponse("The labeler does not answer. Try again in a moment.", 503, {"Retry-After": "2"})
        if self._files_of_tab(tab) + self._arriving[tab] > FILES_PER_TAB:
            return PlainTextResponse("This tab holds enough files. Remove one, or reload the page.", 429)
        return None


def files_of_tab(tab: str) -> int:
    """Return how many files Streamlit holds for the session of a tab."""
    files = runtime.get_instance().uploaded_file_mgr
    return len(files.file_storage.get(tab, ())) if isinstance(files, MemoryUploadedFileManager) else 0
