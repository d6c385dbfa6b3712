"""The state folder of one stack: its paths."""

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
INFRA = PROJECT / "infra"


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that holds everything of one stack. `root` is absolute."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "StateFolder":
        """Return the state folder at `path`, which need not exist yet."""
        return cls(path.expanduser().absolute())

    @property
    def marker(self) -> Path:
        """The file that marks a state folder and names the path it was created at."""
        return self.root / "pappus-state.json"

    @property
    def run(self) -> Path:
        """Files that are valid only while the supervisor runs."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """The lock that the supervisor holds while it runs."""
        return self.run / "supervisor.lock"

    @property
    def status(self) -> Path:
        """The status as JSON; also the list of processes that the next start ends if the supervisor was killed."""
        return self.run / "status.json"

    @property
    def desired(self) -> Path:
        """The last request to the supervisor (see `desired_state.py`)."""
        return self.run / "desired.json"

    @property
    def config(self) -> Path:
        """Ports and allowed hosts, for users to edit."""
        return self.root / "config.json"

    @property
    def credentials(self) -> Path:
        """Generated passwords, mode 0600."""
        return self.root / "credentials.json"

    @property
    def users(self) -> Path:
        """The initial users of the labeler, mode 0600."""
        return self.root / "users.json"

    @property
    def certificates(self) -> Path:
        """The authority of a secured stack and the certificates of its servers."""
        return self.root / "certificates"

    @property
    def authority(self) -> Path:
        """The certificate that clients of a secured stack trust."""
        return self.certificates / "ca.pem"

    @property
    def api_keys(self) -> Path:
        """The hashes of the keys that predictors ask for, mode 0600. Without it they ask for none."""
        return self.root / "api-keys.json"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def services(self) -> Path:
        """A private scratch folder per service."""
        return self.root / "services"

    def working_folder(self, name: str) -> Path:
        """Create and return the working directory of a process. It stays empty: a stranger's path leads nowhere."""
        folder = self.services / name / "empty"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        """Return the log of the process `name`."""
        return self.logs / f"{name}.log"
