"""Exports for the browser: with the login in the cookie, passed on as they come, or a sentence why not."""

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from services.labeler.ui.doors.exports import LOGGED_OUT, PATH, UNAVAILABLE, ExportDoor
from services.labeler.ui.sessions import cookie

from .fake_apis import TOKEN, session

ANNA = session(token=f"{TOKEN} of exports")
ASKED = f"{PATH}?format=csv&label=grass"


def labeler(request: httpx2.Request) -> httpx2.Response:
    """Answer as the labeler's API."""
    if request.headers["Authorization"] != f"Bearer {ANNA.token}":
        return httpx2.Response(401, json={"error": "unauthorised", "detail": "There is no session."})
    if request.url.params["format"] != "csv":
        return httpx2.Response(422, json={"error": "invalid_request", "detail": "query.format: Choose another one."})
    headers = {"content-type": "text/csv", "content-disposition": 'attachment; filename="a.csv"', "x-other": "1"}
    return httpx2.Response(200, text=f"of {request.url.params['label']}", headers=headers)


def away(_request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("There is no such server.")


async def ask(path: str, *, answering: object = labeler, who: object = ANNA) -> httpx2.Response:
    """Return what the browser gets."""
    door = ExportDoor("http://labeler", httpx2.MockTransport(answering))  # type: ignore[arg-type]
    app = Starlette(routes=[Route(PATH, door.answer, methods=["GET"])])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://ui") as browser:
        if who is not None:
            browser.cookies.set(cookie.COOKIE, cookie.encode(who))  # type: ignore[arg-type]
        return await browser.get(path)


async def test_it_is_passed_on_with_its_name() -> None:
    answer = await ask(ASKED)
    assert (answer.status_code, answer.text) == (200, "of grass")
    assert answer.headers["content-disposition"] == 'attachment; filename="a.csv"'
    assert "x-other" not in answer.headers


@pytest.mark.parametrize("who", [None, session(token="another")])
async def test_without_a_session_it_says_so(who: object) -> None:
    answer = await ask(ASKED, who=who)
    assert (answer.status_code, answer.text) == (401, LOGGED_OUT)


async def test_what_the_labeler_refuses_is_said() -> None:
    answer = await ask(ASKED.replace("csv", "xml"))
    assert (answer.status_code, answer.text) == (422, "query.format: Choose another one.")


async def test_a_labeler_that_is_away_is_said() -> None:
    answer = await ask(ASKED, answering=away)
    assert (answer.status_code, answer.text) == (503, UNAVAILABLE)
