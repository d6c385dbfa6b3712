"""Routes about who may log in: an admin's, and those about oneself."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, SecretStr, StringConstraints

from services.labeler.accounts.sessions import Principal
from services.labeler.api.audited import audited
from services.labeler.api.problems import error_responses
from services.labeler.api.service import Admin, AnyUser, AppContext, CurrentService, Operator
from services.labeler.commands.administration import Administration, person_unknown
from services.labeler.decisions.sign_on import LONGEST_SUBJECT
from services.labeler.fields import NO_NUL, Name
from services.labeler.queries.accounts import all_people, find_person
from shared.clients.people import NewPassword, PersonView
from shared.contract.roles import Role
from shared.http.bodies import JsonBody

router = APIRouter(tags=["people"])
provider_router = APIRouter(tags=["people"])
FOR_ADMINS = "Needs the role `admin`."
SHOWN_ONCE = "The password is in this answer and nowhere else."
NO_STORE = {"Cache-Control": "no-store"}
NewName = Annotated[Name, Field(min_length=1, max_length=100)]


class PersonBody(BaseModel):
    """The name of a person."""

    name: NewName


class RoleBody(PersonBody):
    """A person and a role."""

    role: Role


class SubjectBody(PersonBody):
    """A person, and as whom the provider knows them: the sentence at their refused login says it."""

    subject: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SUBJECT, pattern=NO_NUL)]


class OwnPassword(BaseModel):
    """The present password and the next one."""

    password: SecretStr
    new_password: SecretStr = Field(max_length=1024)


@dataclass(frozen=True, slots=True)
class _Done:
    """What a change gave: the password that it made, if it made one."""

    password: str = ""
    outcome: str = "done"


@router.get("/me", summary="Show who you are", responses=error_responses())
async def get_me(service: CurrentService, user: AnyUser) -> PersonView:
    """Return your name and role, and what you decided."""
    return await _person(service, user.name)


@router.get(
    "/people",
    summary="Show who may log in",
    description="Show all accounts, and what each person decided. Needs the role `operator`.",
    responses=error_responses(403),
)
async def get_people(service: CurrentService, _user: Operator) -> list[PersonView]:
    """See the description."""
    return await all_people(service.database, service.command_bus.clock())


@router.post(
    "/people",
    status_code=201,
    summary="Add a person",
    description=f"Let a person log in, with a password that is made for them. {SHOWN_ONCE} {FOR_ADMINS}",
    responses=error_responses(403, 409, 422),
)
async def add_person(service: CurrentService, user: Admin, response: Response, body: JsonBody[RoleBody]) -> NewPassword:
    """See the description."""
    response.headers.update(NO_STORE)
    made = _administration(service).add(user.name, body.name, body.role)
    return await _with_password(service, user, "add_person", body.name, made)


@router.post(
    "/people/role",
    summary="Give a person another role",
    description=f"The role counts from the next request on. {FOR_ADMINS}",
    responses=error_responses(403, 404, 409, 422),
)
async def change_role(service: CurrentService, user: Admin, body: JsonBody[RoleBody]) -> PersonView:
    """See the description."""
    change = _administration(service).set_role(user.name, body.name, body.role)
    return await _changed(service, user, "change_role", body.name, change)


@router.post(
    "/people/password",
    summary="Make a new password for a person",
    description=f"The person's sessions end. {SHOWN_ONCE} {FOR_ADMINS}",
    responses=error_responses(403, 404, 409, 422),
)
async def reset_password(
    service: CurrentService, user: Admin, response: Response, body: JsonBody[PersonBody]
) -> NewPassword:
    """See the description."""
    response.headers.update(NO_STORE)
    made = _administration(service).reset_password(user.name, body.name)
    return await _with_password(service, user, "reset_password", body.name, made)


@router.post(
    "/people/disable",
    summary="Keep a person out",
    description=f"The person's sessions end, and no new one begins; what they decided stays. {FOR_ADMINS}",
    responses=error_responses(403, 404, 409, 422),
)
async def disable_person(service: CurrentService, user: Admin, body: JsonBody[PersonBody]) -> PersonView:
    """See the description."""
    change = _administration(service).set_disabled(user.name, body.name, disabled=True)
    return await _changed(service, user, "disable_person", body.name, change)


@router.post(
    "/people/enable",
    summary="Let a person in again",
    description=f"The person logs in with the password they had. {FOR_ADMINS}",
    responses=error_responses(403, 404, 409, 422),
)
async def enable_person(service: CurrentService, user: Admin, body: JsonBody[PersonBody]) -> PersonView:
    """See the description."""
    change = _administration(service).set_disabled(user.name, body.name, disabled=False)
    return await _changed(service, user, "enable_person", body.name, change)


@provider_router.post(
    "/people/join",
    summary="Join a person with the provider",
    description=f"The person logs in with the provider from now on, to the account that they have. {FOR_ADMINS}",
    responses=error_responses(403, 404, 409, 422),
)
async def join_person(service: CurrentService, user: Admin, body: JsonBody[SubjectBody]) -> PersonView:
    """See the description."""
    change = _administration(service).join(user.name, body.name, body.subject)
    return await _changed(service, user, "join_person", body.name, change)


@router.post(
    "/me/password",
    summary="Change your password",
    responses=error_responses(409, 422),
)
async def change_own_password(service: CurrentService, user: AnyUser, body: JsonBody[OwnPassword]) -> PersonView:
    """Change your password. All your sessions end, this one too: log in with the new password. Accounts of the users
    file are changed there."""
    present, new = body.password.get_secret_value(), body.new_password.get_secret_value()
    change = _administration(service).change_own_password(user.name, present, new)
    return await _changed(service, user, "change_own_password", user.name, change)


def _administration(service: AppContext) -> Administration:
    provider = None if service.sign_on is None else service.sign_on.settings
    return Administration(service.database, service.users, service.command_bus.clock, provider)


async def _changed(service: AppContext, user: Principal, act: str, name: str, change: Awaitable[None]) -> PersonView:
    """Return the person after a change, which is audited."""

    async def work() -> _Done:
        await change
        return _Done()

    await audited(act, name, user, work())
    return await _person(service, name)


async def _with_password(
    service: AppContext, user: Principal, act: str, name: str, made: Awaitable[str]
) -> NewPassword:
    """Return the person with the password that was made for them, which is audited."""

    async def work() -> _Done:
        return _Done(await made)

    done = await audited(act, name, user, work())
    return NewPassword(**dict(await _person(service, name)), password=done.password)


async def _person(service: AppContext, name: str) -> PersonView:
    person = await find_person(service.database, name, service.command_bus.clock())
    if person is None:
        raise person_unknown(name)
    return person
