"""The values from which the components of one stack are built."""

from collections.abc import Mapping
from dataclasses import dataclass

from pappus.stack.cache import Cache
from pappus.stack.config import StackConfig
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.identity import MARK
from pappus.stack.ownership import claim
from pappus.stack.ports import HOST, resolve_ports
from pappus.stack.settings import port_overrides, server_environment
from pappus.stack.unprivileged import Account, unprivileged_account
from shared.runtime.kafka_connection import KafkaConnection


@dataclass(frozen=True, slots=True)
class StackContext:
    """`environment`: the caller's; commands that fetch or build get all of it, processes get `server_environment` or
    what their service declares. `account`: the user that runs PostgreSQL; None: the caller."""

    state: StateFolder
    cache: Cache
    config: StackConfig
    ports: Mapping[str, int]
    credentials: Credentials
    environment: Mapping[str, str]
    account: Account | None

    @classmethod
    def load(cls, state: StateFolder, cache: Cache, environment: Mapping[str, str]) -> "StackContext":
        """Read the state folder, and create it at the first start. Raises StackError."""
        claim(state)
        config = StackConfig.load(state)
        return cls(
            state=state,
            cache=cache,
            config=config,
            ports=resolve_ports(config.ports, port_overrides(environment)),
            credentials=Credentials.load_or_create(state),
            environment={**environment, MARK: str(state.root)},
            account=unprivileged_account(),
        )

    @property
    def server_environment(self) -> dict[str, str]:
        """The part of the environment that a server gets, with the mark of this stack."""
        return server_environment(self.environment, MARK)

    @property
    def kafka(self) -> KafkaConnection:
        """Where the broker is, for the steps and commands of the stack itself."""
        return KafkaConnection(f"{HOST}:{self.ports['kafka']}")

    def url(self, port: str) -> str:
        """Return the HTTP address of a port, by the name of the port."""
        return f"http://{HOST}:{self.ports[port]}"
