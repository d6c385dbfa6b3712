"""The web server of the pages: Streamlit behind the doors, and the cookie of a session."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from services.labeler.settings import LIMIT_MEGABYTES
from services.labeler.ui.components.add import ASSETS, ASSETS_PATH
from services.labeler.ui.doors import exports
from services.labeler.ui.doors.browsers import BrowserGuard
from services.labeler.ui.doors.labeler_door import LabelerDoor
from services.labeler.ui.doors.pictures import Pictures
from services.labeler.ui.doors.session_cookie import give_session
from services.labeler.ui.doors.sign_on import SignOnDoor
from services.labeler.ui.doors.sockets import SocketGuard
from services.labeler.ui.doors.surface_files import send_surface_file
from services.labeler.ui.doors.token_check import TokenCheck
from services.labeler.ui.doors.uploads import UploadGuard, files_of_tab
from services.labeler.ui.review.surface import PATH as SURFACE_PATH
from services.labeler.ui.script_runs import keep_what_runs_draw
from services.labeler.ui.sessions import cookie

LIMIT_BYTES = LIMIT_MEGABYTES * 1_048_576
SCRIPT = Path(__file__).parent / "pages" / "app.py"


def create_app(labeler_url: str, hosts: Collection[str] = ()) -> st.App:
    """Return the pages as an ASGI application. `hosts`: public names under which they are asked."""
    cookie.SERVED.set()
    keep_what_runs_draw()
    check = TokenCheck(labeler_url)
    routes: list[BaseRoute] = [
        Route(cookie.PATH, _set_cookie, methods=["POST"]),
        Route(cookie.PATH, _drop_cookie, methods=["DELETE"]),
        Route("/picture/{image_id:uuid}", Pictures(labeler_url).send),
        Route(f"{SURFACE_PATH}/{{version}}/{{name}}", send_surface_file),
        Route(exports.PATH, exports.ExportDoor(labeler_url).answer, methods=["GET"]),
        *LabelerDoor(labeler_url, check, LIMIT_BYTES).routes(),
        *SignOnDoor(labeler_url).routes(),
        Mount(ASSETS_PATH, Assets(directory=ASSETS)),
    ]
    doors = [
        Middleware(BrowserGuard, hosts=hosts),
        Middleware(SocketGuard, check=check),
        Middleware(UploadGuard, check=check, files_of_tab=files_of_tab),
    ]
    return st.App(SCRIPT, routes=routes, middleware=doors)


class Assets(StaticFiles):
    """Files of the pages. The browser asks each time whether they are still the same: a release replaces them."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _set_cookie(request: Request) -> Response:
    """Exchange the ticket of a login for the cookie. Only the page that the person logged in on has the ticket."""
    session = cookie.redeem((await request.body())[:200].decode("ascii", "replace"))
    if session is None:
        return PlainTextResponse("This login is used up or too old. Log in again.", 403)
    response = Response(status_code=204)
    give_session(response, session, request)
    return response


async def _drop_cookie(request: Request) -> Response:
    """Drop the cookie of the session with this hash, which has ended; a newer login stays."""
    response = Response(status_code=204)
    session = cookie.parse(request.cookies.get(cookie.COOKIE))
    if session is not None and cookie.token_hash(session) == (await request.body())[:200].decode("ascii", "replace"):
        response.delete_cookie(cookie.COOKIE, httponly=True, samesite="strict")
    return response
