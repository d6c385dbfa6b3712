"""The routes that log a user in: with JSON for programs, with a form (OAuth 2.0, RFC 6749, section 4.3) for tools."""

import asyncio
import time
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, Field, SecretStr

from services.labeler.accounts.logins import TooManyLogins
from services.labeler.accounts.sessions import Principal, Unauthorised, issue_token
from services.labeler.api.problems import error_responses, too_many_logins
from services.labeler.api.service import AppContext, CurrentService, address_of
from services.labeler.fields import Name
from shared.clients.answers import AccessToken, Session
from shared.clients.sign_on import LoginOptions
from shared.http.bodies import JsonBody
from shared.http.problems import Problem, problem_responses
from shared.runtime.audit import audit

LOGIN, TOKEN, OPTIONS = "/login", "/token", "/login/options"
NO_STORE = {"Cache-Control": "no-store"}
router = APIRouter(tags=["session"])


class Credentials(BaseModel):
    """The name and password of a login."""

    name: Name
    password: SecretStr


class PasswordGrant(BaseModel):
    """The form that OAuth 2.0 calls the password grant. Scopes and clients mean nothing here and are ignored."""

    grant_type: Literal["password"]
    username: Name
    password: SecretStr = Field(json_schema_extra={"format": "password"})


@router.get(OPTIONS, summary="Show how people log in", responses=problem_responses(503))
async def get_login_options(service: CurrentService) -> LoginOptions:
    """Say whether there is a provider to log in with, and who may log in with a password."""
    provider = None if service.sign_on is None else service.sign_on.name
    return LoginOptions(provider=provider, passwords=service.settings.password_login)


@router.post(LOGIN, summary="Log in", response_description="Logged in", responses=error_responses(400, 403, 422, 429))
async def log_in(
    credentials: JsonBody[Credentials], service: CurrentService, request: Request, response: Response
) -> Session:
    """Start a session with a name and a password. Send its `token` with each other request as
    `Authorization: Bearer <token>`."""
    response.headers.update(NO_STORE)
    return await _session(service, credentials.name, credentials.password, request)


@router.post(
    TOKEN,
    summary="Log in with an OAuth 2.0 form",
    response_description="Logged in",
    responses=problem_responses(400, 403, 422, 429, 503),
)
async def issue_access_token(
    grant: Annotated[PasswordGrant, Form()], service: CurrentService, request: Request, response: Response
) -> AccessToken:
    """The same login as `POST /login`, as OAuth 2.0 describes it: the button *Authorize* of this page and other tools
    send this form. A wrong name or password is 400 `invalid_grant`."""
    response.headers.update(NO_STORE)
    try:
        session = await _session(service, grant.username, grant.password, request)
    except Unauthorised as error:
        raise _described(Problem(400, "invalid_grant", str(error), headers=NO_STORE)) from error
    except TooManyLogins as error:
        raise _described(too_many_logins(error)) from error
    lasts = session.expires_at - service.command_bus.clock()
    return AccessToken(access_token=session.token, expires_in=int(lasts.total_seconds()))


def _described(problem: Problem) -> Problem:
    """Return the problem with the member in which clients of OAuth 2.0 look for the detail (RFC 6749, section 5.2)."""
    problem.facts["error_description"] = problem.detail
    return problem


async def _session(service: AppContext, name: str, secret: SecretStr, request: Request) -> Session:
    """Log a user in.

    Raises:
        Unauthorised: the name or the password is wrong.
        Problem: this account, or every one, logs in with the provider only.
        TooManyLogins: wait, then try again.
        TransientError: the table cannot be read.
    """
    settings, started = service.settings, time.monotonic()
    if settings.password_login == "off":  # noqa: S105 - a word of a setting
        raise _password_login_off(service)
    password = secret.get_secret_value().encode("utf-8", "replace")[:1024].decode("utf-8", "replace")
    address = address_of(request)
    principal = await service.logins.log_in(name, password, address)
    if principal is None:
        # A name of no user may be a password in the wrong field: it is not written down.
        known = await service.users.find(name) is not None
        outcome = "wrong_password" if known else "unknown_name"
        audit("log_in", who=name if known else None, address=address, outcome=outcome)
        # Always at the same time after the request, for known and unknown names.
        await asyncio.sleep(started + settings.login_failure_seconds - time.monotonic())
        raise Unauthorised("The name or the password is wrong. Check both and try again.")
    if settings.password_login == "admins" and principal.role != "admin":  # noqa: S105
        audit("log_in", who=principal.name, address=address, outcome="password_login_off")
        raise _password_login_off(service)
    audit("log_in", who=principal.name, address=address, outcome="let_in")
    return started_session(service, principal)


def _password_login_off(service: AppContext) -> Problem:
    name = "the provider" if service.sign_on is None else service.sign_on.name
    detail = f"This account does not log in with a password here. Log in with {name}, on the pages."
    return Problem(403, "password_login_off", detail)


def started_session(service: AppContext, principal: Principal) -> Session:
    """Return a new session of a user who proved to be this one."""
    settings = service.settings
    token, expires_at = issue_token(
        principal.name,
        settings.session_secret.get_secret_value(),
        service.command_bus.clock(),
        timedelta(hours=settings.session_hours),
    )
    return Session(token=token, name=principal.name, role=principal.role, expires_at=expires_at)
