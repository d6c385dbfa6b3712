"""The API keys of machines: `api-keys.json` of the state folder, which running predictors follow. It holds hashes."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pappus.stack.credentials import Credentials, api_key
from pappus.stack.errors import StackError
from pappus.stack.files import locked, write_private
from pappus.stack.folders import StateFolder

NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Key(BaseModel):
    """One entry. `per_minute`: requests of one replica; None: any number."""

    model_config = ConfigDict(extra="allow")
    name: str
    sha256: str
    per_minute: int | None = None


_KEYS = TypeAdapter(list[Key])


class Keys:
    """The keys of one stack. Each method is one change of the file, and safe beside another one. Those of the stack
    itself (its pages, its command) are always among them.

    Every method raises StackError: there is no stack, or the change is not possible; the text says why.
    """

    def __init__(self, state: StateFolder) -> None:
        self._state = state

    @property
    def asked_for(self) -> bool:
        """Whether predictors that start now ask for a key."""
        return self._state.api_keys.exists()

    def all(self) -> list[Key]:
        """Return all, by name; none before the first was added."""
        return sorted(self._read().values(), key=lambda key: key.name) if self.asked_for else []

    def add(self, name: str, per_minute: int | None) -> str:
        """Add a key and return it. The file keeps only its hash."""
        if not NAME.fullmatch(name):
            raise StackError(f"The name of a key has 1 to 100 of the characters A-Z a-z 0-9 . _ - ; {name!r} has not.")
        made = api_key()
        with self._changing() as keys:
            if name in keys:
                raise StackError(f"There is a key {name} already. Remove it first: pappus keys remove {name}")
            keys[name] = Key(name=name, sha256=_hash(made), per_minute=per_minute)
        return made

    def remove(self, name: str) -> None:
        """Remove a key; it is refused a second or two later."""
        if not self.asked_for:
            raise StackError(
                "There are no API keys: predictors answer without one. Add the first: pappus keys add NAME"
            )
        with self._changing() as keys:
            if name in self._own():
                raise StackError(f"The stack itself uses the key {name}, so it stays.")
            if name not in keys:
                raise StackError(f"There is no key {name}. The keys are: {', '.join(sorted(keys))}.")
            del keys[name]

    def _own(self) -> dict[str, Key]:
        made = Credentials.load_or_create(self._state).predictor_keys
        return {name: Key(name=name, sha256=_hash(key)) for name, key in made.items()}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        if not self._state.credentials.exists():
            raise StackError(f"There is no stack in {self._state.root} yet. Start one: pappus up")
        with locked(self._state.root):
            keys = self._read() | self._own() if self.asked_for else self._own()
            yield keys
            entries = [key.model_dump(mode="json", exclude_none=True) for key in keys.values()]
            write_private(self._state.api_keys, json.dumps(entries, indent=2) + "\n")

    def _read(self) -> dict[str, Key]:
        try:
            return {key.name: key for key in _KEYS.validate_json(self._state.api_keys.read_bytes())}
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise StackError(f"{self._state.api_keys} is no list of keys ({fault['msg']}). Correct it.") from None


def _hash(key: str) -> str:
    """Return what stands in the file. Keys are 32 random bytes, so a plain hash gives nothing away."""
    return hashlib.sha256(key.encode()).hexdigest()
