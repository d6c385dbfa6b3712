"""The state folder of one stack: which path holds what."""

import os
from dataclasses import dataclass
from pathlib import Path

from pappus.stack.errors import StackError

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"
OWN = frozenset({"run", "logs", "services", "config.json"})


@dataclass(frozen=True, slots=True)
class StateFolder:
    """One folder with everything of one stack in it. `root` is absolute."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "StateFolder":
        """The state folder at `path`, which need not exist yet."""
        return cls(path.expanduser().absolute())

    def create(self) -> None:
        """Make the folders. Only the owner may look in; others may pass through, as PostgreSQL's own user has to."""
        self.refuse_foreign()
        self.root.mkdir(parents=True, exist_ok=True)
        if self.root.stat().st_uid == os.getuid():
            self.root.chmod(0o711)
        for folder in (self.run, self.logs, self.services):
            folder.mkdir(mode=0o700, exist_ok=True)

    def refuse_foreign(self) -> None:
        """Raises StackError for a folder with somebody else's things in it: `reset` deletes the whole folder."""
        if self.credentials.exists() or not self.root.exists():
            return
        foreign = sorted({entry.name for entry in self.root.iterdir()} - OWN)
        if foreign:
            raise StackError(
                f"{self.root} holds other things ({foreign[0]}, ...): give an empty or a new folder as the state."
            )

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
    def wanted(self) -> Path:
        """Names of the parts that shall run."""
        return self.run / "wanted.json"

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
