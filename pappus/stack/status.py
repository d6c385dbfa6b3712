"""What the supervisor knows about the stack, as the file that everybody else reads."""

import json
import time
from enum import StrEnum
from signal import Signals

from pydantic import BaseModel, ValidationError

from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder
from pappus.stack.identity import Identity
from pappus.stack.ports import HOST


class PartState(StrEnum):
    """`waiting` for others; `preparing` (fetching, building); `starting` until ready; `unready`: runs, but stopped
    answering; `resting` before the next attempt; `orphaned`: runs without a supervisor, the next start ends it."""

    WAITING = "waiting"
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    RESTING = "resting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ORPHANED = "orphaned"


class PartStatus(BaseModel):
    """One part. `failures`: in a row, now; `restarts`: since the supervisor started; times are Unix seconds."""

    name: str
    group: str
    state: PartState = PartState.WAITING
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

    def enter(self, state: PartState, detail: str = "") -> None:
        """Change the state, noting when."""
        if state != self.state:
            self.since = time.time()
        self.state, self.detail = state, detail


class StackStatus(BaseModel):
    """The whole stack. `request`: the last request for parts that was read; `problem`: why it was refused, or None."""

    state: str
    supervisor: Identity | None = None
    request: str = ""
    problem: str | None = None
    credentials: str
    users: str
    parts: list[PartStatus] = []

    @property
    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self.supervisor is not None and self.supervisor.alive()

    @property
    def ready(self) -> bool:
        """Whether the supervisor lives and every part is ready."""
        return self.running and bool(self.parts) and all(part.state is PartState.READY for part in self.parts)

    @property
    def addresses(self) -> dict[str, str]:
        """Where each part answers, by name; and each port that several parts listen on, by the port's name."""
        ports = [(name, number) for part in self.parts for name, number in part.ports.items()]
        shared = {name: f"http://{HOST}:{number}" for name, number in ports if ports.count((name, number)) > 1}
        return shared | {part.name: part.address for part in self.parts if part.address}

    def report(self) -> str:
        """The status as JSON, with what programs would otherwise have to derive: `running`, `ready`, `addresses`."""
        derived = {"running": self.running, "ready": self.ready, "addresses": self.addresses}
        return json.dumps(self.model_dump(mode="json") | derived, indent=2)

    def part(self, name: str) -> PartStatus:
        """The part `name`. Raises StackError if it is not among those that were started."""
        for part in self.parts:
            if part.name == name:
                return part
        raise StackError(
            f"There is no {name!r} in this stack; it has {', '.join(p.name for p in self.parts) or 'nothing'}."
        )

    def save(self, state: StateFolder) -> None:
        """Replace the file in one step."""
        write_private(state.status, self.model_dump_json(indent=2))


def read_status(state: StateFolder) -> StackStatus:
    """What the last supervisor wrote; a stack that never ran has no parts. Raises StackError for an unreadable file."""
    try:
        return StackStatus.model_validate_json(state.status.read_bytes())
    except FileNotFoundError:
        return StackStatus(state=str(state.root), credentials=str(state.credentials), users=str(state.users))
    except ValidationError as error:
        raise StackError(
            f"{state.status} cannot be read ({error.error_count()} errors). Stop its processes, then delete it."
        ) from error
