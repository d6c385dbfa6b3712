"""The people who may log in to the labeler: `users.json` of the state folder, which the running labeler follows."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pappus.stack.credentials import Credentials
from pappus.stack.errors import StackError
from pappus.stack.files import locked, write_private
from pappus.stack.folders import StateFolder
from shared.contract.roles import Role
from shared.runtime.text import clean_typed

PASSWORD_CHARACTERS = 12
NAME_CHARACTERS = 100


class Person(BaseModel):
    """One entry. Sessions that began before `sessions_from` do not count; None: all do."""

    model_config = ConfigDict(extra="allow")
    name: str
    role: Role
    password: str
    sessions_from: datetime | None = None


_PEOPLE = TypeAdapter(list[Person])


class People:
    """The people of one stack. Each method is one change of the file, and safe beside another one.

    Every method raises StackError: there is no stack, or the change is not possible; the text says why.
    """

    def __init__(self, state: StateFolder) -> None:
        self._state = state

    def all(self) -> list[Person]:
        """Return all, by name."""
        return sorted(self._read().values(), key=lambda person: person.name)

    def add(self, name: str, role: Role, password: str | None) -> str:
        """Add a person; return the password, a generated one if it is None."""
        name, password = clean_typed(name), _usable(password)
        if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable():
            raise StackError(f"A name has 1 to {NAME_CHARACTERS} printable characters. Choose another one.")
        with self._changing() as people:
            if name in people:
                raise StackError(f"{name} is a user already. Change them: pappus users role | password {name}")
            people[name] = Person(name=name, role=role, password=password)
        return password

    def set_role(self, name: str, role: Role) -> None:
        """Give a person another role, from the next request on."""
        self._refuse_own(name, "keeps its role")
        with self._changing() as people:
            _known(people, name).role = role

    def set_password(self, name: str, password: str | None) -> str:
        """Give a person another password, and end the sessions of the old one; return it, generated if it is None."""
        password = _usable(password)
        with self._changing() as people:
            person = _known(people, name)
            person.password, person.sessions_from = password, datetime.now(UTC)
            credentials = Credentials.load_or_create(self._state)
            if person.name in credentials.users:
                credentials.users[person.name] = password
                write_private(self._state.credentials, credentials.model_dump_json(indent=2) + "\n")
        return password

    def remove(self, name: str) -> None:
        """Remove a person; their sessions end."""
        self._refuse_own(name, "stays")
        with self._changing() as people:
            del people[_known(people, name).name]

    def log_out(self, name: str) -> None:
        """End the sessions of a person; they may log in again."""
        with self._changing() as people:
            _known(people, name).sessions_from = datetime.now(UTC)

    def _refuse_own(self, name: str, why: str) -> None:
        if self._state.credentials.exists() and clean_typed(name) in Credentials.load_or_create(self._state).users:
            raise StackError(f"The command itself works as {name}, so {name} {why}. Its password can be changed.")

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Person]]:
        self._refuse_no_stack()
        with locked(self._state.root):
            people = self._read()
            yield people
            entries = [person.model_dump(mode="json", exclude_none=True) for person in people.values()]
            write_private(self._state.users, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")

    def _read(self) -> dict[str, Person]:
        self._refuse_no_stack()
        try:
            found = _PEOPLE.validate_json(self._state.users.read_bytes())
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise StackError(f"{self._state.users} is no list of users ({fault['msg']}). Correct it.") from None
        return {clean_typed(person.name): person for person in found}

    def _refuse_no_stack(self) -> None:
        if not self._state.users.exists():
            raise StackError(f"There is no stack in {self._state.root} yet. Start one: pappus up")


def _known(people: dict[str, Person], name: str) -> Person:
    try:
        return people[clean_typed(name)]
    except KeyError:
        raise StackError(f"There is no user {name}. The users are: {', '.join(sorted(people))}.") from None


def _usable(password: str | None) -> str:
    if password is None:
        return secrets.token_urlsafe(24)
    if len(password) < PASSWORD_CHARACTERS:
        raise StackError(f"A password has at least {PASSWORD_CHARACTERS} characters. Choose a longer one.")
    return password
