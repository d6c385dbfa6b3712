"""Real servers for tests: in a folder of their own, on free ports, gone afterwards."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pappus.stack.credentials import Credentials
from pappus.stack.ports import DEFAULT_PORTS, HOST, free_ports
from pappus.stack.s3 import REGION
from pappus.stack.s3_policy import OBJECTS
from pappus.stack.stack import Stack
from pappus.stack.status import StackStatus


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses and passwords of a stack that runs. A service's name is its database role and its S3 user; `postgres`
    and `root` may do everything."""

    stack: Stack
    status: StackStatus
    credentials: Credentials

    @property
    def kafka_bootstrap(self) -> str:
        """host:port of the broker."""
        return f"{HOST}:{self._port('kafka')}"

    @property
    def s3_endpoint(self) -> str:
        """Address of the object store."""
        return f"http://{HOST}:{self._port('s3')}"

    @property
    def mlflow_url(self) -> str:
        """Address of MLflow. Raises StackError if it was not asked for."""
        return f"http://{HOST}:{self._port('mlflow')}"

    def database_url(self, role: str, database: str = "pappus") -> str:
        """How `role` connects."""
        return f"postgresql://{role}:{self.credentials.postgres[role]}@{HOST}:{self._port('postgres')}/{database}"

    def settings(self, owner: str) -> dict[str, str]:
        """Settings of a service, by field names: `Settings(**servers.settings("ingestor"))`."""
        key = self.credentials.s3[owner]
        return {
            "kafka_bootstrap": self.kafka_bootstrap,
            "database_url": self.database_url(owner),
            "s3_endpoint": self.s3_endpoint,
            "s3_region": REGION,
            "s3_bucket": OBJECTS,
            "s3_access_key": key.access_key,
            "s3_secret_key": key.secret_key,
        }

    def _port(self, name: str) -> int:
        return self.status.component(name).ports[name]


@contextmanager
def servers_in(state: Path, only: Sequence[str] = ("servers",)) -> Iterator[Servers]:
    """Start servers in `state` on free ports and delete it all at the end; they also end if this process is killed."""
    stack = Stack(state)
    try:
        status = stack.up(only, ports=free_ports(DEFAULT_PORTS), parent=os.getpid())
        yield Servers(stack, status, stack.credentials())
    finally:
        stack.reset()


@asynccontextmanager
async def running_servers(state: Path, only: Sequence[str] = ("servers",)) -> AsyncIterator[Servers]:
    """`servers_in` for coroutines: waiting does not hold up the event loop."""
    context = servers_in(state, only)
    servers = await asyncio.to_thread(context.__enter__)
    try:
        yield servers
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
