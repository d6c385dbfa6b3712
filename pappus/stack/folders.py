"""The state folder of one stack: which path holds what."""

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"


@dataclass(frozen=True, slots=True)
class StateFolder:
    """One folder with everything of one stack in it. `root` is absolute."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "StateFolder":
        """The state folder at `path`, which need not exist yet."""
        return cls(path.expanduser().absolute())

    @property
    def marker(self) -> Path:
        """Says that the folder is a state folder, and at which path it was made."""
        return self.root / "pappus-state.json"

    @property
    def run(self) -> Path:
        """What is true only while the supervisor lives."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.run / "supervisor.lock"

    @property
    def status(self) -> Path:
        """What the supervisor knows, as JSON; also the list of processes that a next start has to sweep."""
        return self.run / "status.json"

    @property
    def desired(self) -> Path:
        """Names of the components that shall run."""
        return self.run / "desired.json"

    @property
    def config(self) -> Path:
        """Ports and allowed hosts, for people to edit."""
        return self.root / "config.json"

    @property
    def credentials(self) -> Path:
        """Generated passwords, mode 0600."""
        return self.root / "credentials.json"

    @property
    def users(self) -> Path:
        """The labeler's first users, mode 0600."""
        return self.root / "users.json"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def services(self) -> Path:
        """A private scratch folder per service."""
        return self.root / "services"

    def log(self, name: str) -> Path:
        """The log of the process `name`."""
        return self.logs / f"{name}.log"
