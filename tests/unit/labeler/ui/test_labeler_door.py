"""What the browser may ask of the labeler through the server of the pages."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette

from services.labeler.ui.doors.labeler_door import AT_ONCE_OF_A_LOGIN, LabelerDoor
from services.labeler.ui.doors.token_check import TokenCheck
from services.labeler.ui.sessions import cookie
from shared.testing import eventually

from .fake_apis import TOKEN, FakeApis, session

ANNA = session(token=f"{TOKEN} of this module")  # other tests log the usual one out
FORM = {"file": ("flower.png", b"a picture", "image/png")}
LIMIT = 1_000_000


class Labeler(httpx2.AsyncBaseTransport):
    """The labeler behind the door. `asked` are the requests it was sent; while `open` is not set none is answered."""

    def __init__(self, apis: FakeApis) -> None:
        self.apis = apis
        self.asked: list[httpx2.Request] = []
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        stream = request.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        parts = []
        async for part in stream:
            parts.append(part)
            self.arrived.set()
        await self.open.wait()
        whole = httpx2.Request(request.method, request.url, headers=request.headers, content=b"".join(parts))
        return self.apis.labeler(whole)


@pytest.fixture
def labeler(apis: FakeApis) -> Labeler:
    return Labeler(apis)


@pytest.fixture
async def browser(labeler: Labeler) -> AsyncIterator[httpx2.AsyncClient]:
    """Anna's browser."""
    check = TokenCheck("http://labeler", httpx2.MockTransport(labeler.apis.labeler))
    door = LabelerDoor("http://labeler", check, LIMIT, labeler)
    transport = httpx2.ASGITransport(Starlette(routes=door.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://ui") as client:
        client.cookies.set(cookie.COOKIE, cookie.encode(ANNA))
        client.headers["Idempotency-Key"] = "key-0"
        yield client


async def test_an_upload_goes_on_in_the_session_of_the_cookie(browser: httpx2.AsyncClient, labeler: Labeler) -> None:
    answer = await browser.post("/labeler/images", files=FORM, headers={"Idempotency-Key": "key-1"})

    assert (answer.status_code, labeler.apis.uploads, labeler.apis.keys) == (201, [("flower.png", None)], ["key-1"])
    [sent] = labeler.asked
    assert (sent.url.path, sent.headers["authorization"]) == ("/images", f"Bearer {ANNA.token}")
    assert "cookie" not in sent.headers


async def test_a_file_is_sent_on_while_it_comes(browser: httpx2.AsyncClient, labeler: Labeler) -> None:
    rest = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await rest.wait()
        yield b"the end"

    uploading = asyncio.ensure_future(browser.post("/labeler/images", content=body()))
    await asyncio.wait_for(labeler.arrived.wait(), 5)
    assert not uploading.done()
    rest.set()
    assert (await uploading).status_code == 201


async def test_without_a_known_session_nothing_reaches_the_labeler(
    browser: httpx2.AsyncClient, labeler: Labeler
) -> None:
    for value in ("", cookie.encode(session(token="forged"))):
        browser.cookies.set(cookie.COOKIE, value)
        assert (await browser.post("/labeler/images", files=FORM)).status_code == 401
    browser.cookies.clear()
    image = labeler.apis.add()
    assert (await browser.get(f"/labeler/images/{image.image_id}")).status_code == 401
    assert labeler.asked == []


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}], ids=str
)
async def test_a_page_of_another_site_uploads_nothing(
    browser: httpx2.AsyncClient, labeler: Labeler, headers: dict[str, str]
) -> None:
    answer = await browser.post("/labeler/images", files=FORM, headers=headers)
    assert (answer.status_code, answer.json()["error"], labeler.asked) == (403, "foreign_origin", [])


async def test_a_file_that_is_too_large_is_not_read(browser: httpx2.AsyncClient, labeler: Labeler) -> None:
    answer = await browser.post("/labeler/images", files={"file": ("large.png", bytes(LIMIT + 100_000))})
    assert (answer.status_code, answer.json()["detail"]) == (413, "A file may have at most 1,000,000 bytes.")
    assert labeler.asked == []


async def test_a_login_has_few_uploads_under_way(browser: httpx2.AsyncClient, labeler: Labeler) -> None:
    labeler.open.clear()
    held = [asyncio.ensure_future(browser.post("/labeler/images", files=FORM)) for _ in range(AT_ONCE_OF_A_LOGIN)]
    await eventually(lambda: len(labeler.asked) == AT_ONCE_OF_A_LOGIN)
    refused = await browser.post("/labeler/images", files=FORM)
    labeler.open.set()

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert [(await each).status_code for each in held] == [201] * AT_ONCE_OF_A_LOGIN
    assert (await browser.post("/labeler/images", files=FORM)).status_code == 201


async def test_what_the_page_shows_may_be_read_and_nothing_else(browser: httpx2.AsyncClient, labeler: Labeler) -> None:
    image = labeler.apis.add()
    shown = await browser.get(f"/labeler/images/{image.image_id}")
    picture = await browser.get(f"/labeler/images/{image.image_id}/rendition?w=320")
    assert (shown.json()["image_id"], picture.status_code) == (str(image.image_id), 200)
    assert labeler.asked[-1].url.params["w"] == "320"

    before = len(labeler.asked)
    others = (
        ("GET", "/labeler/users"),
        ("GET", f"/labeler/images/{image.image_id}/content"),
        ("GET", "/labeler/images/..%2Fmodels"),
        ("GET", "/labeler/images/not-an-id/history"),
        ("POST", f"/labeler/images/{image.image_id}/withdraw"),
        ("POST", "/labeler/models/freeze"),
        ("DELETE", "/labeler/images"),
    )
    for method, path in others:
        assert (await browser.request(method, path)).status_code in (404, 405), path
    assert len(labeler.asked) == before


async def test_a_labeler_that_is_away_is_503_and_to_be_tried_again(browser: httpx2.AsyncClient) -> None:
    async def away(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    async def check(_session: object) -> int:
        return 200

    door = LabelerDoor("http://labeler", check, LIMIT, httpx2.MockTransport(away))
    transport = httpx2.ASGITransport(Starlette(routes=door.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://ui", cookies=browser.cookies) as client:
        answer = await client.post("/labeler/images", files=FORM)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
