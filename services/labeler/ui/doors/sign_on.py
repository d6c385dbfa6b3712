"""The way to the provider and back (OpenID Connect): the labeler's API decides, and this keeps the browser's part.

What the browser has to bring back is in a cookie of its own, which it sends with the provider's answer (SameSite=Lax):
a link of another site cannot log a person in under a name that is not theirs.
"""

import base64
import json
from html import escape

import httpx2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services.labeler.decisions.own_paths import HOME, own_path, path_of_referrer
from services.labeler.provider_settings import CALLBACK
from services.labeler.ui.doors.session_cookie import give_session
from services.labeler.ui.words import sign_on as words
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError, ApiProblem
from shared.clients.sign_on import begin_login, finish_login

COOKIE = "pappus_login"
COOKIE_PATH = "/oidc"
KEPT_SECONDS = 600
NO_RETRY = 0.0  # an answer of the provider counts once
BROUGHT = ("state", "code", "error", "iss")


class SignOnDoor:
    """Sends people to their provider, and takes them back. `transport` replaces the network to the API, for tests."""

    def __init__(self, labeler_url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._labeler_url = labeler_url
        self._transport = transport

    def routes(self) -> list[Route]:
        """Return the routes of the button and of the way back."""
        return [Route(words.LOGIN, self._begin, methods=["GET"]), Route(CALLBACK, self._finish, methods=["GET"])]

    async def _begin(self, request: Request) -> Response:
        to = path_of_referrer(request.headers.get("referer", ""), request.headers.get("host", ""))
        try:
            async with AsyncApi(self._labeler_url, NO_RETRY, self._transport) as api:
                begun = await api.send(begin_login())
        except ApiError as error:
            return _told(error)
        response = RedirectResponse(begun.address, 303)
        response.set_cookie(
            COOKIE,
            _written(begun.login, to),
            max_age=KEPT_SECONDS,
            path=COOKIE_PATH,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return _not_kept(response)

    async def _finish(self, request: Request) -> Response:
        login, to = _read(request.cookies.get(COOKIE, ""))
        brought = {name: request.query_params.get(name, "") for name in BROUGHT}
        try:
            async with AsyncApi(self._labeler_url, NO_RETRY, self._transport) as api:
                session = await api.send(finish_login(login, **brought))
        except ApiError as error:
            response: Response = _told(error)
        else:
            response = RedirectResponse(to, 303)
            give_session(response, session, request)
        response.delete_cookie(COOKIE, path=COOKIE_PATH, httponly=True, samesite="lax")
        return _not_kept(response)


def _written(login: str, to: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([login, to]).encode()).decode().rstrip("=")


def _read(value: str) -> tuple[str, str]:
    """Return the login in the cookie and where it goes on to; empty and the home page if it holds none."""
    try:
        login, to = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        return str(login), own_path(str(to))
    except (ValueError, TypeError):
        return "", HOME


def _told(error: ApiError) -> Response:
    """Return a page with the sentence why the person is not logged in."""
    status, sentence = 503, words.UNAVAILABLE
    if isinstance(error, ApiProblem) and error.code:
        status, sentence = error.status, error.detail
    return HTMLResponse(words.PAGE.replace("SENTENCE", escape(sentence)), status)


def _not_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
