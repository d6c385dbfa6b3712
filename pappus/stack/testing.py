"""Real servers for tests: in their own folder, on free ports, deleted afterwards."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from pappus.stack.addresses import database_url
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.ports import DEFAULT_PORTS, HOST, free_ports
from pappus.stack.s3 import REGION
from pappus.stack.s3_policy import OBJECTS
from pappus.stack.settings import StackSettings
from pappus.stack.stack import Stack
from pappus.stack.status import StackStatus
from shared.runtime.kafka_connection import KafkaConnection


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses and passwords of a running stack. The name of a service is its database role and S3 user; the
    superusers are `postgres` and `root`."""

    stack: Stack
    status: StackStatus
    credentials: Credentials

    @property
    def kafka_bootstrap(self) -> str:
        """Return host:port of the broker."""
        return f"{HOST}:{self._port('kafka')}"

    @property
    def kafka(self) -> KafkaConnection:
        """Return the broker, with the login of those who make topics if the stack is secured."""
        return self.stack.running_context().kafka

    def kafka_as(self, user: str) -> KafkaConnection:
        """Return the broker, with the login of `user` if the stack is secured."""
        return self.stack.running_context().kafka_as(user)

    @property
    def s3_endpoint(self) -> str:
        """Return the URL of the object store."""
        return self.status.component("s3").address

    @property
    def mlflow_url(self) -> str:
        """Return the URL of MLflow. Raises StackError if it was not started."""
        return f"http://{HOST}:{self._port('mlflow')}"

    def database_url(self, role: str, database: str = "pappus") -> str:
        """Return the DSN with which `role` connects."""
        login = (role, self.credentials.postgres[role])
        return database_url(self.stack.state, login, self._port("postgres"), database)

    def settings(self, owner: str) -> dict[str, str]:
        """Return the settings of a service by field name: `Settings(**servers.settings("ingestor"))`."""
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
def servers_in(state: Path, only: Sequence[str] = ("servers",), *, secure: bool = False) -> Iterator[Servers]:
    """Start servers in `state` on free ports, and delete them at the end. They also end if this process is killed."""
    stack = Stack(state)
    try:
        status = stack.up(only, ports=free_ports(DEFAULT_PORTS), parent=os.getpid(), secure=secure)
        yield Servers(stack, status, stack.credentials())
    finally:
        keep_logs(stack.state, StackSettings().test_logs)
        stack.reset()


def keep_logs(state: StateFolder, folder: Path | None) -> None:
    """Copy the logs of a test stack into a new folder of `folder`; None: copy nothing."""
    if folder is not None and state.logs.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(state.logs, Path(mkdtemp(prefix="stack-", dir=folder)), dirs_exist_ok=True)


@asynccontextmanager
async def running_servers(state: Path, only: Sequence[str] = ("servers",)) -> AsyncIterator[Servers]:
    """Start servers as `servers_in` does, without blocking the event loop."""
    context = servers_in(state, only)
    servers = await asyncio.to_thread(context.__enter__)
    try:
        yield servers
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
