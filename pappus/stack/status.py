"""What the supervisor knows about the stack: the file that the commands read."""

import json
import time
from collections.abc import Sequence
from enum import StrEnum
from signal import Signals

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.ports import HOST


class ComponentState(StrEnum):
    """`waiting` for the components it needs; `preparing` (fetching, building); `starting` until ready; `unready`: runs,
    but stopped answering; `backoff`: pauses before the next attempt; `orphaned`: runs without a supervisor, and the
    next start ends it."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ORPHANED = "orphaned"

    @classmethod
    def _missing_(cls, value: object) -> "ComponentState | None":
        """Read the word that an earlier version wrote for `backoff`."""
        return cls.BACKOFF if value == "resting" else None


class ComponentStatus(BaseModel):
    """One component. `failures`: in a row, up to now; `restarts`: since the supervisor started; times are Unix seconds.
    `stopped_on_request`: `pappus stop` named it, so it is not expected to be ready."""

    name: str
    group: str
    state: ComponentState = ComponentState.WAITING
    detail: str = ""
    address: str = ""
    ports: dict[str, int] = {}
    process: Identity | None = None
    stop_signal: Signals = Signals.SIGTERM
    restarts: int = 0
    failures: int = 0
    last_exit: str | None = None
    since: float = 0.0
    log: str = ""
    stopped_on_request: bool = False

    def enter(self, state: ComponentState, detail: str = "") -> None:
        """Change the state and record when."""
        if state != self.state:
            self.since = time.time()
        self.state, self.detail = state, detail


class StackStatus(BaseModel):
    """The whole stack. `request`: the id of the last request that the supervisor carried out; `problem`: why it was
    refused, or None. A file of an earlier version calls the components `parts`."""

    model_config = ConfigDict(populate_by_name=True)

    state: str
    supervisor: Identity | None = None
    request: str = ""
    problem: str | None = None
    credentials: str
    users: str
    components: list[ComponentStatus] = Field(default=[], validation_alias=AliasChoices("components", "parts"))

    @property
    def running(self) -> bool:
        """Whether the supervisor is alive."""
        return self.supervisor is not None and self.supervisor.alive()

    @property
    def expected(self) -> list[ComponentStatus]:
        """The components that should run: all but those stopped on request."""
        return [component for component in self.components if not component.stopped_on_request]

    @property
    def ready(self) -> bool:
        """Whether the supervisor is alive and every component that should run is ready."""
        expected = self.expected
        return self.running and bool(expected) and all(each.state is ComponentState.READY for each in expected)

    @property
    def addresses(self) -> dict[str, str]:
        """The address of each component, by its name, and of each port that several components share, by the port's
        name; one for gRPC has no scheme, as its clients want it."""
        ports = [(name, number) for component in self.components for name, number in component.ports.items()]
        several = [(name, number) for name, number in ports if ports.count((name, number)) > 1]
        shared = {name: f"{'' if name.endswith('-grpc') else 'http://'}{HOST}:{number}" for name, number in several}
        return shared | {component.name: component.address for component in self.components if component.address}

    def report(self) -> str:
        """Return the status as JSON, with the derived values `running`, `ready` and `addresses`."""
        derived = {"running": self.running, "ready": self.ready, "addresses": self.addresses}
        return json.dumps(self.model_dump(mode="json") | derived, indent=2)

    def component(self, name: str) -> ComponentStatus:
        """Return the component `name`. Raises StackError if it is not among those that were started."""
        (component,) = self.matching([name])
        return component

    def matching(self, words: Sequence[str]) -> list[ComponentStatus]:
        """Return the components whose name or group is among `words`.

        Raises:
            StackError: a word is neither; the text lists the names.
        """
        known = {word for component in self.components for word in (component.name, component.group)}
        unknown = sorted(set(words) - known)
        if unknown:
            names = ", ".join(component.name for component in self.components) or "no component yet"
            raise StackError(f"There is no {', '.join(unknown)} in this stack. It has: {names}.")
        return [component for component in self.components if {component.name, component.group} & set(words)]

    def save(self, state: StateFolder) -> None:
        """Replace the file in one step."""
        write_private(state.status, self.model_dump_json(indent=2))


def read_status(state: StateFolder) -> StackStatus:
    """Return what the last supervisor wrote; the status of a stack that never ran has no components.

    Raises:
        StackError: the file cannot be read.
    """
    try:
        return StackStatus.model_validate_json(state.status.read_bytes())
    except FileNotFoundError:
        return StackStatus(state=str(state.root), credentials=str(state.credentials), users=str(state.users))
    except ValidationError as error:
        raise StackError(
            f"{state.status} cannot be read ({error.error_count()} errors). Stop its processes, then delete it."
        ) from error
