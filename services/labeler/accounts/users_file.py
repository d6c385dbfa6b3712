"""The users file: who may log in. It is the authority; the table follows it while the API runs."""

import json
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, TypeAdapter, ValidationError, field_validator

from shared.contract.roles import Role
from shared.runtime.errors import PappusError
from shared.runtime.text import clean_typed

NEW_PASSWORD_CHARACTERS = 12
PART = "users"


class User(BaseModel):
    """One entry of the users file. Sessions that began before `sessions_from` do not count; None ends none."""

    name: str = Field(min_length=1, max_length=100)
    role: Role
    password: SecretStr = Field(min_length=8)
    sessions_from: AwareDatetime | None = None

    @field_validator("name")
    @classmethod
    def _clean(cls, name: str) -> str:
        return clean_typed(name)


def read_users(path: Path) -> list[User]:
    """Read users from a JSON file, [{name, role, password}]. Raises PappusError if it has another form."""
    try:
        users = TypeAdapter(list[User]).validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        reason = error.errors(include_input=False) if isinstance(error, ValidationError) else error
        raise PappusError(
            f"{path} is no list of users: {reason}. It must be JSON [{{name, role, password}}]."
        ) from error
    if len({user.name for user in users}) < len(users):
        raise PappusError(f"{path} is no list of users: a name stands in it twice. Keep one entry of each name.")
    return users
