"""Real servers for tests: in their own folder, on free ports, deleted afterwards."""

import asyncio
import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import mkdtemp

from pappus.stack.addresses import database_url
from pappus.stack.credentials import RECORDER, Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.ports import DEFAULT_PORTS, HOST, free_ports
from pappus.stack.s3 import REGION
from pappus.stack.s3_policy import OBJECTS
from pappus.stack.settings import StackSettings
from pappus.stack.stack import Stack
from pappus.stack.status import StackStatus
from shared.runtime.kafka_connection import KafkaConnection


class Servers(ABC):
    """Addresses and passwords of running servers, and what a test may do to one of them by name ("kafka").

    The name of a service is its database role and S3 user; the superusers are `postgres` and `root`.

    Tests use this form only. `LocalServers` are processes of the Docker-free stack; tests/containers.py has the other.
    """

    credentials: Credentials

    @property
    @abstractmethod
    def stack(self) -> Stack:
        """Return the stack, for tests about its processes and files."""

    @property
    @abstractmethod
    def kafka_bootstrap(self) -> str:
        """Return host:port of the broker."""

    @property
    @abstractmethod
    def kafka(self) -> KafkaConnection:
        """Return the broker, with the login of those who make topics if it is secured."""

    @abstractmethod
    def kafka_as(self, user: str) -> KafkaConnection:
        """Return the broker, with the login of `user` if it is secured."""

    @property
    @abstractmethod
    def s3_endpoint(self) -> str:
        """Return the URL of the object store."""

    @property
    @abstractmethod
    def mlflow_url(self) -> str:
        """Return the URL of MLflow. Raises StackError if it was not started."""

    @property
    def mlflow_login(self) -> tuple[str, str]:
        """Return name and password of the one who writes to MLflow."""
        return RECORDER, self.credentials.mlflow[RECORDER]

    @abstractmethod
    def database_url(self, role: str, database: str = "pappus") -> str:
        """Return the DSN with which `role` connects."""

    @abstractmethod
    def with_mlflow(self) -> "Servers":
        """Start MLflow beside the others, if it does not run, and return all of them."""

    @abstractmethod
    def pause(self, name: str) -> None:
        """Have a server keep its connections and answer nothing."""

    @abstractmethod
    def paused(self, name: str) -> bool:
        """Return whether no part of the server runs on: on another core threads do so for a moment."""

    @abstractmethod
    def resume(self, name: str) -> None:
        """Have a paused server go on."""

    @abstractmethod
    def kill(self, name: str) -> None:
        """End a server at once, as a power cut would. It is started again on its data."""

    @abstractmethod
    def start_of(self, name: str) -> str | None:
        """Return what tells the present start of a server from earlier ones; None while it does not run."""

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


class LocalServers(Servers):
    """Servers of a running stack."""

    def __init__(self, stack: Stack, status: StackStatus, credentials: Credentials) -> None:
        self.status = status
        self.credentials = credentials
        self._stack = stack

    @property
    def stack(self) -> Stack:
        """Return the stack."""
        return self._stack

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

    def with_mlflow(self) -> "LocalServers":
        """Start MLflow beside the others, if it does not run, and return all of them."""
        return LocalServers(self.stack, self.stack.up(["mlflow"]), self.credentials)

    def pause(self, name: str) -> None:
        """Stop all threads of the server's process."""
        os.kill(self._pid(name), signal.SIGSTOP)

    def paused(self, name: str) -> bool:
        """Return whether every thread of the process is stopped."""
        tasks = Path(f"/proc/{self._pid(name)}/task").glob("*/stat")
        return {file.read_text().rpartition(")")[2].split()[0] for file in tasks} == {"T"}

    def resume(self, name: str) -> None:
        """Let the process go on."""
        os.kill(self._pid(name), signal.SIGCONT)

    def kill(self, name: str) -> None:
        """Kill the process; its supervisor starts it again."""
        os.kill(self._pid(name), signal.SIGKILL)

    def start_of(self, name: str) -> str | None:
        """Return the identity of the process; None while it does not run."""
        process = self.stack.status().component(name).process
        return None if process is None else str(process)

    def _pid(self, name: str) -> int:
        process = self.stack.status().component(name).process
        if process is None:
            raise StackError(f"{name} does not run.")
        return process.pid

    def _port(self, name: str) -> int:
        return self.status.component(name).ports[name]


@contextmanager
def servers_in(state: Path, only: Sequence[str] = ("servers",), *, secure: bool = False) -> Iterator[LocalServers]:
    """Start servers in `state` on free ports, and delete them at the end. They also end if this process is killed."""
    stack = Stack(state)
    try:
        status = stack.up(only, ports=free_ports(DEFAULT_PORTS), parent=os.getpid(), secure=secure)
        yield LocalServers(stack, status, stack.credentials())
    finally:
        keep_logs(stack.state, StackSettings().test_logs)
        stack.reset()


def keep_logs(state: StateFolder, folder: Path | None) -> None:
    """Copy the logs of a test stack into a new folder of `folder`; None: copy nothing."""
    if folder is not None and state.logs.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(state.logs, Path(mkdtemp(prefix="stack-", dir=folder)), dirs_exist_ok=True)


@asynccontextmanager
async def running_servers(state: Path, only: Sequence[str] = ("servers",)) -> AsyncIterator[LocalServers]:
    """Start servers as `servers_in` does, without blocking the event loop."""
    context = servers_in(state, only)
    servers = await asyncio.to_thread(context.__enter__)
    try:
        yield servers
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
