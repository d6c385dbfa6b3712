"""The web server of the pages: the cookie of a login, and who may upload a file."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from services.labeler.ui import server
from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from shared.testing.events import NOON

from .fake_apis import TOKEN, FakeApis, session

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


class Held:
    """Streamlit, as far as uploads are concerned: it holds every file it is sent."""

    def __init__(self, apis: FakeApis) -> None:
        self.files = 0
        self.apis = apis
        self.checks = 0

    async def put(self, _request: object) -> PlainTextResponse:
        self.files += 1
        await asyncio.sleep(0)
        return PlainTextResponse("", 204)

    def labeler(self, request: httpx2.Request) -> httpx2.Response:
        self.checks += 1
        return self.apis.labeler(request)

    def browser(self) -> httpx2.AsyncClient:
        check = server.TokenCheck("http://labeler", httpx2.MockTransport(self.labeler))
        guard = Middleware(server.UploadGuard, check=check, files_of_tab=lambda _: self.files)
        route = Route("/_stcore/upload_file/{tab}/{file}", self.put, methods=["PUT", "DELETE", "OPTIONS"])
        return client(Starlette(routes=[route], middleware=[guard]))


async def test_a_file_of_a_stranger_is_refused(apis: FakeApis) -> None:
    held = Held(apis)
    async with held.browser() as browser:
        without = await browser.put(UPLOAD, content=b"file")
        browser.cookies.set(cookie.COOKIE, cookie.encode(session(token="forged")))
        forged = await browser.put(UPLOAD, content=b"file")
    assert (without.status_code, forged.status_code, held.files) == (401, 401, 0)


async def test_a_tab_holds_a_few_files_however_they_arrive(apis: FakeApis) -> None:
    held = Held(apis)
    async with held.browser() as browser:
        browser.cookies.set(cookie.COOKIE, cookie.encode(ANNA))
        answers = await asyncio.gather(*(browser.put(f"{UPLOAD}{n}", content=b"file") for n in range(12)))
        removed = await browser.delete(UPLOAD)
    assert held.files - 1 <= server.FILES_PER_TAB
    assert {answer.status_code for answer in answers} <= {204, 429}
    assert removed.status_code == 204


async def test_the_labeler_is_asked_about_a_token_once_a_minute(apis: FakeApis) -> None:
    held = Held(apis)
    async with held.browser() as browser:
        browser.cookies.set(cookie.COOKIE, cookie.encode(ANNA))
        await browser.put(UPLOAD, content=b"file")
        await browser.put(UPLOAD, content=b"file")
    assert (held.checks, held.files) == (1, 2)


async def test_without_an_answer_of_the_labeler_no_file_is_taken(apis: FakeApis) -> None:
    held = Held(apis)
    apis.failing = "labels"
    async with held.browser() as browser:
        browser.cookies.set(cookie.COOKIE, cookie.encode(ANNA))
        answer = await browser.put(UPLOAD, content=b"file")
    assert (answer.status_code, answer.headers["retry-after"], held.files) == (503, "2", 0)
