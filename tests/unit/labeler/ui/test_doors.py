"""Who may upload a file, and how many pages may be open."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from services.labeler.ui.doors import browsers, sockets
from services.labeler.ui.doors.browsers import BrowserGuard
from services.labeler.ui.doors.sockets import SocketGuard
from services.labeler.ui.doors.token_check import TokenCheck
from services.labeler.ui.doors.uploads import FILES_PER_TAB, UploadGuard
from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session

from .fake_apis import TOKEN, FakeApis, session

ANNA = session(token=f"{TOKEN} of this module")  # other tests log the usual one out
UPLOAD = "/_stcore/upload_file/tab-1/file-1"


def client(app: Starlette) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://ui")


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
        check = TokenCheck("http://labeler", httpx2.MockTransport(self.labeler))
        guard = Middleware(UploadGuard, check=check, files_of_tab=lambda _: self.files)
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
    assert held.files - 1 <= FILES_PER_TAB
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


class Page:
    """An open page: a socket as the server sees it."""

    def __init__(self, guard: SocketGuard, login: Session | None = None) -> None:
        self.sent: list[Message] = []
        self._from_browser: asyncio.Queue[Message] = asyncio.Queue()
        self._from_browser.put_nowait({"type": "websocket.connect"})
        headers = [] if login is None else [(b"cookie", f"{cookie.COOKIE}={cookie.encode(login)}".encode())]
        scope: dict[str, Any] = {"type": "websocket", "path": "/_stcore/stream", "headers": headers}
        self.task = asyncio.create_task(guard(scope, self._from_browser.get, self._send))

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def says(self, text: str) -> None:
        """Send a message, and wait until it was answered or the socket has ended."""
        await self._from_browser.put({"type": "websocket.receive", "text": text})
        await self.settled()

    async def settled(self) -> None:
        """Let everything that can go on go on."""
        for _ in range(20):
            await asyncio.sleep(0)

    def close(self) -> None:
        self._from_browser.put_nowait({"type": "websocket.disconnect", "code": 1001})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a socket and repeat what comes until it is closed."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})
    await send({"type": "websocket.send", "text": "said after the end"})


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> SocketGuard:
    """A guard that lets two strangers and two people in."""
    monkeypatch.setattr(sockets, "STRANGERS", 2)
    monkeypatch.setattr(sockets, "PEOPLE", 2)

    async def check(asked: Session) -> int:
        return 200 if asked == ANNA else 401

    return SocketGuard(echo, check)


async def test_the_oldest_page_without_a_login_makes_room(guard: SocketGuard) -> None:
    pages = [Page(guard), Page(guard, session(token="forged")), Page(guard)]
    for page in pages:
        await page.settled()
        await page.says("hello")
    await asyncio.wait_for(pages[0].task, 5)
    assert pages[0].sent[-1] == {"type": "websocket.close", "code": 1013}
    assert {"type": "websocket.send", "text": "said after the end"} not in pages[0].sent
    assert [page.sent[-1].get("text") for page in pages[1:]] == ["hello", "hello"]
    for page in pages[1:]:
        page.close()
        await asyncio.wait_for(page.task, 5)


async def test_a_burst_of_pages_leaves_no_more_open_than_may_be(guard: SocketGuard) -> None:
    pages = [Page(guard) for _ in range(50)]
    for page in pages[:-2]:
        await asyncio.wait_for(page.task, 5)
    assert not any(page.task.done() for page in pages[-2:])
    for page in pages[-2:]:
        page.close()
        await asyncio.wait_for(page.task, 5)


async def test_strangers_do_not_take_the_place_of_people(guard: SocketGuard) -> None:
    anna = Page(guard, ANNA)
    await anna.says("hello")
    strangers = [Page(guard) for _ in range(5)]
    for page in strangers:
        await page.settled()
    await anna.says("still here")
    assert anna.sent[-1] == {"type": "websocket.send", "text": "still here"}
    for page in (anna, *strangers):
        page.close()
        await asyncio.wait_for(page.task, 5)


async def test_a_page_that_was_closed_takes_no_place(guard: SocketGuard) -> None:
    for _ in range(5):
        page = Page(guard)
        await page.says("hello")
        page.close()
        await asyncio.wait_for(page.task, 5)
        assert page.sent[-1]["type"] == "websocket.send"


def pages(*hosts: str) -> httpx2.AsyncClient:
    async def answer(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("a page", headers={"X-Frame-Options": "ALLOWALL"})

    guard = Middleware(BrowserGuard, hosts=hosts)
    return client(Starlette(routes=[Route("/", answer)], middleware=[guard]))


async def test_every_answer_of_the_pages_has_the_headers_for_browsers() -> None:
    async with pages() as browser:
        for answer in (
            await browser.get("/"),
            await browser.get("/x"),
            await browser.get("/", headers={"Host": "a.b"}),
        ):
            assert {name: answer.headers[name] for name in browsers.HEADERS} == browsers.HEADERS


@pytest.mark.parametrize(
    ("host", "more", "status"),
    [
        ("127.0.0.1:8501", (), 200),
        ("labeler-ui:8501", (), 200),
        ("evil.example", (), 421),
        ("plants.example", ("plants.example",), 200),
        ("any.example", ("*",), 200),
    ],
)
async def test_the_pages_answer_under_their_own_names(host: str, more: tuple[str, ...], status: int) -> None:
    async with pages(*more) as browser:
        assert (await browser.get("/", headers={"Host": host})).status_code == status


@pytest.mark.parametrize(("host", "closed"), [(b"127.0.0.1:8501", False), (b"evil.example", True)])
async def test_a_socket_under_a_foreign_name_is_not_opened(host: bytes, closed: bool) -> None:
    passed, sent = list[Scope](), list[Message]()

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        passed.append(scope)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"host", host)]}
    await BrowserGuard(app)(scope, receive, send)
    assert [message["type"] for message in sent] == (["websocket.close"] if closed else [])
    assert len(passed) == (0 if closed else 1)
