"""What the supervisor is asked to run: a file that it reads when it starts and on SIGHUP."""

import uuid
from collections.abc import Iterable

from pydantic import BaseModel, Field

from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder

EVERYTHING = ("servers", "services")


class DesiredState(BaseModel):
    """`selected`: names and groups of components. `stopped`: names of components among them that stay stopped.
    `restart`: names of components to stop and start once. `request`: the id of this request."""

    request: str = Field(default_factory=lambda: uuid.uuid4().hex)
    selected: list[str] = []
    stopped: list[str] = []
    restart: list[str] = []

    @classmethod
    def load(cls, state: StateFolder) -> "DesiredState":
        """Return the last request; an empty one where there is none."""
        if not state.desired.exists():
            return cls()
        return cls.model_validate_json(state.desired.read_bytes())

    def save(self, state: StateFolder) -> None:
        """Make this the request that the supervisor reads next."""
        write_private(state.desired, self.model_dump_json() + "\n")

    def with_selected(self, names: Iterable[str], started: Iterable[str]) -> "DesiredState":
        """Return the request to run `names` (components and groups) too; `started` are no longer stopped."""
        return DesiredState(
            selected=sorted({*self.selected, *names}),
            stopped=sorted(set(self.stopped) - set(started)),
            restart=self.restart,
        )

    def with_restart(self, names: Iterable[str]) -> "DesiredState":
        """Return the request to restart the components `names`; those that are stopped are started."""
        return DesiredState(
            selected=self.selected,
            stopped=sorted(set(self.stopped) - set(names)),
            restart=sorted({*self.restart, *names}),
        )

    def with_stopped(self, names: Iterable[str]) -> "DesiredState":
        """Return the request to stop the components `names` until they are started again."""
        return DesiredState(
            selected=self.selected,
            stopped=sorted({*self.stopped, *names}),
            restart=sorted(set(self.restart) - set(names)),
        )
