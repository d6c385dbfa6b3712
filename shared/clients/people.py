"""What the labeler's API answers about the people who may log in, and the requests that change them."""

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, TypeAdapter

from shared.clients.answers import Body
from shared.clients.request import ApiRequest
from shared.contract.roles import Role


class WorkDone(Body):
    """What a person decided. `decided`: corrections and confirmations that were applied; `today`: those of the last 24
    hours. `confirmed` and `overturned`: after how many of them another person said the same, or something else.
    `seconds_each`: the median time between two decisions that are less than a minute apart; None without two.
    `votes`: about how many images the person voted, decided or not."""

    decided: int = 0
    today: int = 0
    confirmed: int = 0
    overturned: int = 0
    seconds_each: float | None = None
    votes: int = 0
    last_at: AwareDatetime | None = None

    @property
    def agreement(self) -> float | None:
        """The share of the decisions that were looked at by another person who agreed; None before the first."""
        looked_at = self.confirmed + self.overturned
        return self.confirmed / looked_at if looked_at else None


class PersonView(Body):
    """A person who may log in, or could until `disabled_at`. `made_by`: the admin who made the account in the app, or
    the issuer of the provider that let the person in first; None: one of the users file, which the file alone changes.
    `made_at`: since when it is known here. `issuer`: the provider that the person logs in with; None: a password."""

    name: str
    role: Role
    made_by: str | None
    made_at: AwareDatetime
    disabled_at: AwareDatetime | None = None
    issuer: str | None = None
    work: WorkDone = WorkDone()

    @property
    def outcome(self) -> str:
        return "done"


class NewPassword(PersonView):
    """A person with a password that was made for them. It is shown this once."""

    password: str


_PEOPLE = TypeAdapter(list[PersonView])


def list_people() -> ApiRequest[list[PersonView]]:
    """Request everyone who may log in, with what they decided, by name."""
    return ApiRequest("GET", "/people", _PEOPLE.validate_json)


def get_me() -> ApiRequest[PersonView]:
    """Request the person who asks."""
    return ApiRequest("GET", "/me", PersonView.model_validate_json)


def add_person(name: str, role: Role) -> ApiRequest[NewPassword]:
    """Let a person log in."""
    return ApiRequest("POST", "/people", NewPassword.model_validate_json, json={"name": name, "role": role})


def change_role(name: str, role: Role) -> ApiRequest[PersonView]:
    """Give a person another role."""
    return _act("role", PersonView.model_validate_json, name, role=role)


def reset_password(name: str) -> ApiRequest[NewPassword]:
    """Make a new password for a person; their sessions end."""
    return _act("password", NewPassword.model_validate_json, name)


def disable_person(name: str) -> ApiRequest[PersonView]:
    """Let a person not log in any more; their sessions end."""
    return _act("disable", PersonView.model_validate_json, name)


def enable_person(name: str) -> ApiRequest[PersonView]:
    """Let a person log in again."""
    return _act("enable", PersonView.model_validate_json, name)


def join_person(name: str, subject: str) -> ApiRequest[PersonView]:
    """Let a person log in with the provider, which knows them as `subject`, to the account that they have."""
    return _act("join", PersonView.model_validate_json, name, subject=subject)


def change_own_password(password: str, new_password: str) -> ApiRequest[PersonView]:
    """Change the password of the person who asks; their other sessions end, and this one too."""
    body = {"password": password, "new_password": new_password}
    return ApiRequest("POST", "/me/password", PersonView.model_validate_json, json=body)


def _act(act: str, read: Any, name: str, **body: str) -> ApiRequest[Any]:
    """Return a command about a person. The name is part of the body, since a name may hold any character."""
    document: Mapping[str, str] = {"name": name, **body}
    return ApiRequest("POST", f"/people/{act}", read, json=document)
