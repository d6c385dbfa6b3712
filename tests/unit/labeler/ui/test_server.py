"""The web server of the pages: the cookie of a login, and who may upload a file."""

from datetime import timedelta

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.labeler.ui import server
from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from shared.testing.events import NOON

from .fake_apis import TOKEN, session

ANNA = session(token=f"{TOKEN} of this module")  # other tests log the usual one out
UPLOAD = "/_stcore/upload_file/tab-1/file-1"


def client(app: Starlette) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://ui")


def login() -> httpx2.AsyncClient:
    routes = [
        Route(cookie.PATH, server._set_cookie, methods=["POST"]),
        Route(cookie.PATH, server._drop_cookie, methods=["DELETE"]),
    ]
    return client(Starlette(routes=routes))


def expired() -> Session:
    return ANNA.model_copy(update={"expires_at": NOON - timedelta(days=36500)})


async def test_a_ticket_becomes_a_cookie_that_scripts_cannot_read_once() -> None:
    ticket = cookie.issue_ticket(ANNA)
    async with login() as browser:
        first = await browser.post(cookie.PATH, content=ticket)
        again = await browser.post(cookie.PATH, content=ticket)
    assert (first.status_code, again.status_code) == (204, 403)
    attributes = {part.strip().lower() for part in first.headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    value = first.headers["set-cookie"].split(";")[0].removeprefix(f"{cookie.COOKIE}=")
    assert cookie.decode(value) == ANNA
    assert not cookie.pending(ticket)


@pytest.mark.parametrize("ticket", [b"", b"guess", b"\xff\xfe", b"x" * 1000])
async def test_a_guessed_ticket_gives_no_cookie(ticket: bytes) -> None:
    async with login() as browser:
        answer = await browser.post(cookie.PATH, content=ticket)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_the_end_of_one_session_leaves_a_newer_cookie() -> None:
    newer = session(token="newer")
    async with login() as browser:
        browser.cookies.set(cookie.COOKIE, cookie.encode(newer))
        other = await browser.request("DELETE", cookie.PATH, content=cookie.token_hash(session(token="older")))
        own = await browser.request("DELETE", cookie.PATH, content=cookie.token_hash(newer))
    assert "set-cookie" not in other.headers
    assert "max-age=0" in own.headers["set-cookie"].lower()


@pytest.mark.parametrize("value", [None, "", "no base64!", "bm8ganNvbg", cookie.encode(expired())])
def test_a_cookie_that_holds_no_session_is_none(value: str | None) -> None:
    assert cookie.decode(value) is None


def test_a_session_that_was_logged_out_does_not_come_back() -> None:
    over = session(token="logged out")
    cookie.end(over)
    assert cookie.decode(cookie.encode(over)) is None
    assert cookie.parse(cookie.encode(over)) == over
