"""The values from which the components of one stack are built."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from pappus.stack.addresses import database_url
from pappus.stack.cache import Cache
from pappus.stack.certificates import Authority
from pappus.stack.config import StackConfig
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.identity import MARK
from pappus.stack.ownership import claim
from pappus.stack.ports import HOST, resolve_ports
from pappus.stack.settings import port_overrides, server_environment
from pappus.stack.unprivileged import Account, unprivileged_account
from shared.contract.access import JOBS
from shared.runtime.certificates import trust
from shared.runtime.kafka_connection import KafkaConnection, KafkaMechanism


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
    def authority(self) -> Authority:
        """Who signs for the servers, if the stack is secured."""
        return Authority(self.state.certificates)

    @property
    def trusted(self) -> ssl.SSLContext | None:
        """What checks the certificates of the servers; None if the stack is not secured."""
        return trust(self.authority.certificate, "the authority of the stack") if self.config.secure else None

    @property
    def kafka(self) -> KafkaConnection:
        """Where the broker is, for the steps and commands of the stack itself."""
        return self.kafka_as(JOBS)

    def kafka_as(self, user: str, mechanism: KafkaMechanism = "SCRAM-SHA-512") -> KafkaConnection:
        """Return where the broker is; with the login of `user`, if the stack is secured."""
        address = f"{HOST}:{self.ports['kafka']}"
        if not self.config.secure:
            return KafkaConnection(address)
        password, trusted = self.credentials.kafka[user], self.authority.certificate
        return KafkaConnection(address, "SASL_SSL", user, password, trusted, mechanism)

    def database_url(self, role: str, database: str = "pappus", driver: str = "postgresql") -> str:
        """Return the address with which `role` connects to PostgreSQL."""
        login = (role, self.credentials.postgres[role])
        return database_url(self.state, login, self.ports["postgres"], database, driver)

    def url(self, port: str) -> str:
        """Return the HTTP address of a port, by the name of the port."""
        scheme = "https" if self.config.secure and port == "s3" else "http"
        return f"{scheme}://{HOST}:{self.ports[port]}"
