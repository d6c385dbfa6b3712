"""The users file: who may log in. It is the authority; the table follows it while the API runs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, TypeAdapter, ValidationError, field_validator

from shared.clients.answers import Role
from shared.runtime.errors import PappusError
from shared.runtime.health import Health
from shared.runtime.text import clean_typed

NEW_PASSWORD_CHARACTERS = 12
LOOK_SECONDS = 1.0
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


class UsersFile:
    """The file as it was when it was last read; without a path the table stays as it is."""

    def __init__(
        self,
        path: Path | None,
        set_all: Callable[[Sequence[User], datetime], Awaitable[list[str]]],
        health: Health,
        clock: Callable[[], datetime],
    ) -> None:
        self._path = path
        self._set_all = set_all
        self._health = health
        self._clock = clock
        self._seen: tuple[int, ...] | None = None

    async def follow(self) -> None:
        """Look at the file every LOOK_SECONDS until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Bring the table in line if the file was written since the last look. What is wrong with it turns the health
        red; the users stay as they were."""
        seen = self._stamp()
        if self._path is None or seen == self._seen:
            return
        try:
            complaints = await self._set_all(read_users(self._path), self._clock())
        except PappusError as error:
            complaints = [str(error)]
        self._seen = seen
        self._health.set(PART, not complaints, " ".join(complaints))

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else ()
