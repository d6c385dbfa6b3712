"""The pages' part of a login with a provider: what the browser keeps, and where it goes on to."""

import json
from collections.abc import Callable
from urllib.parse import quote

import httpx2
import pytest
from starlette.applications import Starlette

from services.labeler.ui.doors.sign_on import COOKIE, SignOnDoor, _written
from services.labeler.ui.sessions import cookie

from .fake_apis import problem, session

FRIEDA = session("frieda", token="frieda's token")
AT_PROVIDER = "https://id.example.org/authorize?state=s"


def browser(labeler: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.AsyncClient:
    door = SignOnDoor("http://labeler", httpx2.MockTransport(labeler))
    network = httpx2.ASGITransport(Starlette(routes=door.routes()))
    return httpx2.AsyncClient(transport=network, base_url="http://pages")


def labeler(request: httpx2.Request) -> httpx2.Response:
    """Answer as the labeler: one login, which is known by its cookie and its state."""
    if request.url.path == "/login/provider":
        return httpx2.Response(200, json={"address": AT_PROVIDER, "login": "sealed"})
    body = json.loads(request.content)
    if (body["login"], body["state"], body["code"]) != ("sealed", "s", "c"):
        return problem(400, "login_not_begun", "This login was not begun in this browser. <script>")
    return httpx2.Response(200, json=FRIEDA.model_dump(mode="json"))


async def test_a_browser_goes_to_the_provider_and_comes_back_to_its_page() -> None:
    async with browser(labeler) as http:
        begun = await http.get("/oidc/login", headers={"referer": "http://pages/browse?label=grass"})
        kept = begun.headers["set-cookie"].lower()
        back = await http.get("/oidc/callback?state=s&code=c&iss=https://id.example.org")

    assert (begun.status_code, begun.headers["location"]) == (303, AT_PROVIDER)
    assert all(part in kept for part in ("httponly", "samesite=lax", "path=/oidc", "max-age=600"))
    assert (back.status_code, back.headers["location"]) == (303, "/browse?label=grass")
    session_cookie, dropped = back.headers.get_list("set-cookie")
    assert cookie.decode(session_cookie.split(";")[0].removeprefix(f"{cookie.COOKIE}=")) == FRIEDA
    assert "samesite=strict" in session_cookie.lower()
    assert f'{COOKIE}=""' in dropped
    assert {begun.headers["cache-control"], back.headers["cache-control"]} == {"no-store"}


@pytest.mark.parametrize("kept", ["", "no base64!", "W10", _written("of another login", "/")])
async def test_an_answer_to_no_login_of_this_browser_gives_no_session(kept: str) -> None:
    async with browser(labeler) as http:
        answer = await http.get("/oidc/callback?state=s&code=c", headers={"cookie": f"{COOKIE}={quote(kept)}"})

    assert answer.status_code == 400
    assert cookie.COOKIE not in answer.headers["set-cookie"]
    assert "This login was not begun in this browser. &lt;script&gt;" in answer.text


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_no_cookie_leads_a_person_to_another_site(to: str) -> None:
    async with browser(labeler) as http:
        kept = {"cookie": f"{COOKIE}={_written('sealed', to)}"}
        answer = await http.get("/oidc/callback?state=s&code=c", headers=kept)
        begun = await http.get("/oidc/login", headers={"referer": "https://evil.example/browse"})
        after = await http.get("/oidc/callback?state=s&code=c")

    assert answer.headers["location"] == "/"
    assert begun.status_code == 303
    assert after.headers["location"] == "/"


async def test_a_labeler_that_is_away_is_told_and_asked_once() -> None:
    asked: list[str] = []

    def away(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        raise httpx2.ConnectError("refused", request=request)

    async with browser(away) as http:
        answers = [await http.get("/oidc/login"), await http.get("/oidc/callback?state=s&code=c")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "The labeler does not answer, so it cannot log you in." in answers[1].text
    assert asked == ["/login/provider", "/login/provider/answer"]
