"""Dependencies of the routes: the open connections, and the user who makes the request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import OAuth2PasswordBearer

from services.labeler.accounts.logins import Logins
from services.labeler.accounts.sessions import Principal
from services.labeler.accounts.sign_on.sign_on import SignOn
from services.labeler.accounts.users import Users
from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.duplicates import Duplicates
from services.labeler.commands.given_answers import GivenAnswers
from services.labeler.fields import Key
from services.labeler.queries.events import EventFeed
from services.labeler.queries.log_watch import LogWatch
from services.labeler.settings import LabelerSettings
from shared.contract.roles import Role
from shared.http.problems import Problem
from shared.runtime.audit import audit
from shared.runtime.errors import NotReady
from shared.storage.object_store import ObjectStore
from shared.tables.database import Database


@dataclass(frozen=True, slots=True)
class AppContext:
    """Everything a route uses. `app.state.service` holds it; it is None while the database is unavailable. `sign_on`:
    None without a provider."""

    settings: LabelerSettings
    database: Database
    store: ObjectStore
    command_bus: CommandBus
    users: Users
    logins: Logins
    events: EventFeed
    log_watch: LogWatch
    answers: GivenAnswers
    duplicates: Duplicates
    sign_on: SignOn | None = None


def current_service(request: Request) -> AppContext:
    """Return the context of the app. Raises NotReady while the database is unavailable."""
    service: AppContext | None = request.app.state.service
    if service is None:
        raise NotReady("The labeler is still waiting for its database. Try again in a moment.")
    return service


def address_of(request: Request) -> str:
    """Return the address that a request came from; empty if the server does not know it."""
    return request.client.host if request.client else ""


CurrentService = Annotated[AppContext, Depends(current_service)]


_LOGIN = OAuth2PasswordBearer(
    "token",
    scheme_name="login",
    auto_error=False,
    description="Log in with your name and password. Programs may send the token of `POST /login` instead.",
)
"""Only describes the API: the check is the middleware's."""


def _needs(role: Role) -> object:
    def principal(request: Request, _documented: Annotated[str | None, Security(_LOGIN)]) -> Principal:
        found: Principal = request.state.principal  # see session_check.py
        if not found.may_act_as(role):
            act = request.scope["route"].name
            audit(act, who=found.name, address=found.address, outcome="forbidden")
            ask = "an operator" if role == "operator" else "an admin"
            detail = f"{found.name} has the role {found.role}; this needs the role {role}. Ask {ask}."
            raise Problem(403, "forbidden", detail)
        return found

    return Depends(principal)


AnyUser = Annotated[Principal, _needs("uploader")]
Labeler = Annotated[Principal, _needs("labeler")]
Operator = Annotated[Principal, _needs("operator")]
Admin = Annotated[Principal, _needs("admin")]
IdempotencyKey = Annotated[Key | None, Header(alias="Idempotency-Key", description="Send a retry with the same key")]
