"""How many pages may be open: each holds a socket, and Streamlit keeps a session for it, also without a login."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from shared.runtime.telemetry import logger

STRANGERS = 100
"""Open pages without a login. A page that is closed to make room connects again by itself, then with its login."""
PEOPLE = 1000
"""Open pages with a login."""
TRY_AGAIN_LATER = 1013  # the IANA registry of WebSocket close codes


class SocketGuard:
    """Closes the page that is open longest when there are too many, apart for people with a login and for strangers:
    these cannot take the place of those."""

    def __init__(self, app: ASGIApp, check: Callable[[Session], Awaitable[int]]) -> None:
        self._app = app
        self._check = check
        self._open: dict[bool, dict[asyncio.Event, None]] = {True: {}, False: {}}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; end a socket when it has to make room."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        session = cookie.decode(HTTPConnection(scope).cookies.get(cookie.COOKIE))
        known = session is not None and await self._check(session) == 200
        pages, leave = self._open[known], asyncio.Event()
        pages[leave] = None
        if len(pages) > (PEOPLE if known else STRANGERS):
            oldest = next(iter(pages))
            del pages[oldest]
            oldest.set()
            logger.warning("too many open pages: the oldest is closed", logged_in=known)
        try:
            await self._app(scope, _until(leave, receive), _unless(leave, send))
        finally:
            pages.pop(leave, None)
            if leave.is_set():
                with suppress(RuntimeError, OSError):  # the browser has closed it by itself
                    await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})


def _until(leave: asyncio.Event, receive: Receive) -> Receive:
    """Return `receive`, which says that the other side is gone as soon as the socket has to leave; not before it was
    told of the connection, without which it knows no end."""
    connected = False

    async def receive_or_leave() -> Message:
        nonlocal connected
        if not connected:
            connected = True
            return await receive()
        leaving, coming = asyncio.ensure_future(leave.wait()), asyncio.ensure_future(receive())
        try:
            await asyncio.wait((leaving, coming), return_when=asyncio.FIRST_COMPLETED)
            if leave.is_set():
                return {"type": "websocket.disconnect", "code": TRY_AGAIN_LATER}
            return coming.result()
        finally:
            leaving.cancel()
            coming.cancel()

    return receive_or_leave


def _unless(leave: asyncio.Event, send: Send) -> Send:
    """Return `send`, which drops what a page that has to leave is told."""

    async def send_or_drop(message: Message) -> None:
        if not leave.is_set():
            await send(message)

    return send_or_drop
