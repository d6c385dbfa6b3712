"""What people may set for one stack, kept in its state folder as config.json."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder


class StackConfig(BaseModel):
    """`ports` by name (see `ports.py`). `allowed_hosts`: private addresses (`host` or `host:port`) that the fetcher may
    read from."""

    model_config = ConfigDict(extra="forbid")

    ports: dict[str, int] = {}
    allowed_hosts: list[str] = []

    @classmethod
    def load(cls, state: StateFolder) -> "StackConfig":
        """The config of `state`, empty where there is none. Raises StackError when it cannot be read."""
        if not state.config.exists():
            return cls()
        try:
            return cls.model_validate_json(state.config.read_bytes())
        except ValidationError as error:
            raise StackError(f"{state.config} is not a valid configuration: {error}. Mend or delete it.") from error

    def save(self, state: StateFolder) -> None:
        """Write it back for the next start."""
        write_private(state.config, self.model_dump_json(indent=2) + "\n")


def refuse_host(text: str) -> None:
    """Raises StackError for what is no entry of `allowed_hosts`: the fetcher could not start with it."""
    if not _is_host(text):
        raise StackError(f"{text!r} is not a host: write host or host:port.")


def _is_host(text: str) -> bool:
    try:
        url = urlsplit(f"//{text}")
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        return False
    return bool(url.hostname) and url.netloc == text and text.split() == [text] and port_is_fine
