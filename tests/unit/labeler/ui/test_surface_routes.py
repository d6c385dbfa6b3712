"""What the pages' server sends to the surface of Review: pictures to people who are logged in, and its scripts."""

from uuid import uuid4

import httpx2
from starlette.applications import Starlette
from starlette.routing import Route

from services.labeler.ui.doors.browsers import HEADERS
from services.labeler.ui.doors.pictures import Pictures
from services.labeler.ui.doors.surface_files import send_surface_file
from services.labeler.ui.review.surface import FILES
from services.labeler.ui.sessions import cookie

from .fake_apis import TOKEN, FakeApis, session

ANNA = {cookie.COOKIE: cookie.encode(session(token=f"{TOKEN} of these pictures"))}


def browser(apis: FakeApis, cookies: dict[str, str] | None = None) -> httpx2.AsyncClient:
    """Return a browser of the pages' server; the labeler behind it is a fake."""

    async def labeler(request: httpx2.Request) -> httpx2.Response:
        if apis.log_down:
            raise httpx2.ConnectError("The labeler is away.")
        return apis.labeler(request)

    routes = [
        Route("/picture/{image_id:uuid}", Pictures("http://labeler", httpx2.MockTransport(labeler)).send),
        Route("/review-surface/{version}/{name}", send_surface_file),
    ]
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(Starlette(routes=routes)), base_url="http://ui", cookies=cookies
    )


async def test_a_person_who_is_logged_in_gets_a_picture_that_browsers_keep() -> None:
    apis = FakeApis()
    image = apis.add()
    async with browser(apis, ANNA) as anna:
        found = await anna.get(f"/picture/{image.image_id}", params={"w": 1280})
    assert (found.status_code, found.headers["content-type"]) == (200, "image/jpeg")
    assert found.headers["cache-control"] == "private, max-age=600"
    assert found.content.startswith(b"\xff\xd8")


async def test_a_stranger_gets_no_picture() -> None:
    apis = FakeApis()
    image = apis.add()
    async with browser(apis) as stranger, browser(apis, {cookie.COOKIE: "made up"}) as liar:
        assert (await stranger.get(f"/picture/{image.image_id}", params={"w": 144})).status_code == 401
        assert (await liar.get(f"/picture/{image.image_id}", params={"w": 144})).status_code == 401


async def test_a_picture_that_is_not_there_is_told_from_a_labeler_that_is_away() -> None:
    apis = FakeApis(no_content=True)
    path = f"/picture/{apis.add().image_id}"
    async with browser(apis, ANNA) as anna:
        gone = await anna.get(path, params={"w": 144})
        odd = await anna.get(path, params={"w": 1279})
        apis.log_down = True
        away = await anna.get(path, params={"w": 144})
        none = await anna.get(f"/picture/{uuid4()}/other", params={"w": 144})
    assert (gone.status_code, odd.status_code, away.status_code, none.status_code) == (404, 422, 503, 404)
    assert "no-store" in gone.headers["cache-control"]


async def test_the_scripts_of_the_surface_are_kept_and_nothing_else_is_sent() -> None:
    async with browser(FakeApis()) as stranger:
        script = await stranger.get("/review-surface/any/surface.js")
        other = await stranger.get("/review-surface/any/session.py")
    assert (script.status_code, script.content) == (200, FILES["surface.js"])
    assert (script.headers["content-type"].split(";")[0], other.status_code) == ("text/javascript", 404)
    assert "immutable" in script.headers["cache-control"]
    assert "script-src 'self' 'unsafe-inline' blob:;" in HEADERS["Content-Security-Policy"]
