"""What the supervisor is asked to run, as a file it reads at its start and on SIGHUP."""

import uuid
from collections.abc import Iterable

from pydantic import BaseModel, Field

from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder

EVERYTHING = ("servers", "services")


class Wanted(BaseModel):
    """`words`: names and groups of parts. `request` tells this request from the one before."""

    request: str = Field(default_factory=lambda: uuid.uuid4().hex)
    words: list[str]

    @classmethod
    def load(cls, state: StateFolder) -> "Wanted":
        """The last request."""
        return cls.model_validate_json(state.wanted.read_bytes())

    @classmethod
    def save(cls, state: StateFolder, words: Iterable[str]) -> str:
        """Ask for these; returns the id of the request."""
        wanted = cls(words=sorted(set(words)))
        write_private(state.wanted, wanted.model_dump_json() + "\n")
        return wanted.request
