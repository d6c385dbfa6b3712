"""The routes that log a user in with a provider (OpenID Connect). The pages' server calls them; so may another one that
the provider sends people back to."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, StringConstraints

from services.labeler.accounts.sign_on.errors import SignOnFailed
from services.labeler.accounts.sign_on.sign_on import ProviderAnswer, SignOn
from services.labeler.api.examples.sign_on import NO_PROVIDER
from services.labeler.api.service import AppContext, CurrentService, address_of
from services.labeler.api.session import LOGIN, NO_STORE, started_session
from services.labeler.fields import NO_NUL
from shared.clients.answers import Session
from shared.clients.sign_on import BegunLogin
from shared.http.bodies import JsonBody
from shared.http.problems import Problem, problem_responses
from shared.runtime.audit import audit

BEGIN, ANSWER = f"{LOGIN}/provider", f"{LOGIN}/provider/answer"
router = APIRouter(tags=["session"])
Brought = Annotated[str, StringConstraints(max_length=4096, pattern=NO_NUL)]


class AnswerBody(BaseModel):
    """`login`: as `POST /login/provider` gave it. The others are parameters of the address to which the provider sent
    the browser back; `code` or `error` is one of them."""

    login: Brought
    state: Brought
    code: Brought = ""
    error: Brought = ""
    iss: Brought = ""


@router.post(
    BEGIN,
    summary="Begin a login with the provider",
    response_description="Where to go",
    responses=problem_responses(403, 404, 503),
)
async def begin_login(service: CurrentService, response: Response) -> BegunLogin:
    """Begin a login with OpenID Connect. The browser goes to `address` and keeps `login` meanwhile, ten minutes at
    most, in a cookie that no other site can send."""
    response.headers.update(NO_STORE)
    address, login = await _sign_on(service).begin(service.command_bus.clock())
    return BegunLogin(address=address, login=login)


@router.post(
    ANSWER,
    summary="Finish a login with the provider",
    response_description="Logged in",
    responses=problem_responses(400, 403, 404, 409, 422, 429, 503),
)
async def finish_login(
    service: CurrentService, request: Request, response: Response, body: JsonBody[AnswerBody]
) -> Session:
    """Start a session with what the provider sent the browser back with. It counts once. The session is the same as
    after `POST /login`."""
    response.headers.update(NO_STORE)
    answer = ProviderAnswer(body.state, body.code, body.error, body.iss)
    address = address_of(request)
    try:
        principal = await _sign_on(service).finish(body.login, answer, service.command_bus.clock())
    except SignOnFailed as error:
        audit("log_in_with_provider", who=None, on=error.subject, address=address, outcome=error.code)
        raise
    audit("log_in_with_provider", who=principal.name, address=address, outcome="let_in")
    return started_session(service, principal)


def _sign_on(service: AppContext) -> SignOn:
    if service.sign_on is None:
        raise Problem(404, "no_provider", NO_PROVIDER)
    return service.sign_on
