"""The settings of one stack that users may edit: config.json in its state folder."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder
from shared.runtime.settings import InvalidSettings, check_installation


class StackConfig(BaseModel):
    """`ports` by name (see `ports.py`). `allowed_hosts`: private addresses (`host` or `host:port`) from which the
    ingestor may fetch. `lent_hosts`: those too, until the seed or demo that serves images there is done. `secure`:
    servers speak TLS, clients log in, and each has the rights of docs/access.md. `observe`: Prometheus and Jaeger run
    beside the services."""

    model_config = ConfigDict(extra="forbid")

    ports: dict[str, int] = {}
    allowed_hosts: list[str] = []
    lent_hosts: list[str] = []
    secure: bool = False
    observe: bool = False

    @classmethod
    def load(cls, state: StateFolder) -> "StackConfig":
        """Return the config of `state`, empty if there is none. Raises StackError if it cannot be read."""
        if not state.config.exists():
            return cls()
        try:
            return cls.model_validate_json(state.config.read_bytes())
        except ValidationError as error:
            raise StackError(f"{state.config} is not a valid configuration: {error}. Correct or delete it.") from error

    def save(self, state: StateFolder) -> None:
        """Write the config for the next start."""
        write_private(state.config, self.model_dump_json(indent=2) + "\n")


def refuse_settings(environment: Mapping[str, str]) -> None:
    """Raises StackError if a setting of the installation cannot be used, with which no service could start."""
    try:
        check_installation(environment)
    except InvalidSettings as error:
        raise StackError(str(error)) from None


def refuse_host(text: str) -> None:
    """Raise StackError for an invalid entry of `allowed_hosts`, with which the ingestor could not start."""
    if not _is_host(text):
        raise StackError(f"{text!r} is not a host: write host or host:port.")


def _is_host(text: str) -> bool:
    try:
        url = urlsplit(f"//{text}")
        port_is_fine = url.port is None or url.port > 0
    except ValueError:
        return False
    return bool(url.hostname) and url.netloc == text and text.split() == [text] and port_is_fine
