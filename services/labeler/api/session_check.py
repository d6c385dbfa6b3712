"""Who makes a request is decided before a byte of its body is read."""

from dataclasses import replace
from datetime import datetime

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.labeler.accounts.sessions import Principal, Unauthorised, verify_token
from services.labeler.accounts.users import Users
from services.labeler.api.problems import unauthorised
from services.labeler.api.service import address_of, current_service
from services.labeler.api.session import LOGIN, OPTIONS, TOKEN
from services.labeler.api.sign_on import ANSWER, BEGIN
from shared.http.docs import DOCS, OPENAPI
from shared.http.problems import on_transient_error, problem_response
from shared.runtime.errors import TransientError
from shared.runtime.health import HEALTH_PATHS

PUBLIC = frozenset({LOGIN, TOKEN, OPTIONS, BEGIN, ANSWER, DOCS, OPENAPI, *HEALTH_PATHS})


class SessionMiddleware:
    """Answers 401 without a valid session, except on public paths. With one, `request.state.principal` is its user."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PUBLIC or scope["path"].startswith(f"{DOCS}/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            request.state.principal = await _principal(request)
        except Unauthorised as error:
            await problem_response(unauthorised(error))(scope, receive, send)
        except TransientError as error:
            await (await on_transient_error(request, error))(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _principal(request: Request) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorised(
            "There is no session. Log in with POST /login or POST /token, and send the token as"
            " Authorization: Bearer <token>."
        )
    service = current_service(request)
    secret, now = service.settings.session_secret.get_secret_value(), service.command_bus.clock()
    found = await _user_of(token.strip(), secret, now, service.users)
    return replace(found, address=address_of(request))


async def _user_of(token: str, secret: str, now: datetime, users: Users) -> Principal:
    """Return the user of the token, in the role that the table names now."""
    said = verify_token(token, secret, now)
    account = await users.find(said.name)
    if account is None:
        raise Unauthorised(f"{said.name} is no user any more. Ask an operator, or log in under another name.")
    if said.began_at < account.sessions_from:
        raise Unauthorised("This session was ended. Log in again.")
    return Principal(account.name, account.role)
