"""The web server of the pages: Streamlit behind the doors, and the cookie of a session."""

import time
from collections.abc import Collection
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.labeler.ui.doors.browsers import BrowserGuard
from services.labeler.ui.doors.sockets import SocketGuard
from services.labeler.ui.doors.token_check import TokenCheck
from services.labeler.ui.doors.uploads import UploadGuard, files_of_tab
from services.labeler.ui.sessions import cookie

SCRIPT = Path(__file__).parent / "pages" / "app.py"


def create_app(labeler_url: str, hosts: Collection[str] = ()) -> st.App:
    """Return the pages as an ASGI application. `hosts`: public names under which they are asked."""
    cookie.SERVED.set()
    routes = [Route(cookie.PATH, _set_cookie, methods=["POST"]), Route(cookie.PATH, _drop_cookie, methods=["DELETE"])]
    check = TokenCheck(labeler_url)
    doors = [
        Middleware(BrowserGuard, hosts=hosts),
        Middleware(SocketGuard, check=check),
        Middleware(UploadGuard, check=check, files_of_tab=files_of_tab),
    ]
    return st.App(SCRIPT, routes=routes, middleware=doors)


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
