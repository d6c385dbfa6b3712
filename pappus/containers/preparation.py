"""What has to be there before the services: roles and schemas, their tables, topics, buckets.

Each step may be repeated. The same steps as those of the local stack, against servers named by the settings.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from pydantic import Field

from pappus.stack.buckets import ObjectStoreAway, make_buckets
from pappus.stack.credentials import SERVICES, Credentials
from pappus.stack.errors import StackError
from pappus.stack.postgres import INSTALLED, package_folder
from pappus.stack.roles import SUPERUSER, make_roles
from pappus.stack.settings import inherited_environment
from shared.runtime.errors import TransientError
from shared.runtime.retry import RetryPolicy, retrying
from shared.runtime.settings import Settings
from shared.tables.migrations import migrate
from shared.tables.postgres import close, connector, transient_errors

DATABASE = "pappus"
ATTEMPTS = RetryPolicy(first_seconds=0.5, factor=1.3, longest_seconds=5.0, attempts=40)  # three minutes


class PreparationSettings(Settings):
    """Settings of the job. Of `database_url` the address counts: names and passwords are those of the credentials."""

    credentials_file: Path | None = Field(default=None, description="credentials.json, as `pappus secrets` writes it")


class Preparation:
    """The steps, with what they have in common."""

    def __init__(self, settings: PreparationSettings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say

    async def run(self, only: tuple[str, ...] = ()) -> dict[str, str]:
        """Do the steps, or those named, in order; return what each did. A server that does not answer is waited for, up
        to three minutes.

        Raises:
            StackError: there is no such step, or no credentials.
            PappusError: a server refused a step.
        """
        steps: Mapping[str, Callable[[], Awaitable[str]]] = {
            "database": self._database,
            "tables": self._tables,
            "topics": self._topics,
            "buckets": self._buckets,
        }
        if unknown := set(only) - steps.keys():
            raise StackError(f"There is no step {', '.join(sorted(unknown))}. The steps are: {', '.join(steps)}.")
        done = {}
        for name, step in steps.items():
            if not only or name in only:
                done[name] = await retrying(ATTEMPTS, step, failed=lambda error, _: self._say(f"waiting: {error}"))
                self._say(f"{name}: {done[name]}")
        return done

    async def _database(self) -> str:
        psql = self._psql()
        await self._answers(SUPERUSER, self._dsn_of(SUPERUSER, "postgres"))
        place = urlsplit(self._settings.database_dsn)
        environment = inherited_environment()
        if self._settings.database_ca_file is not None:
            environment = {
                **environment,
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": str(self._settings.database_ca_file),
            }
        await make_roles(
            psql,
            place.hostname or "",
            place.port or 5432,
            self._credentials.postgres,
            environment,
        )
        return "roles, schemas and the extension are there"

    def _psql(self) -> Path:
        """Return the psql of the machine or image; where it has none, that of the package, which cannot encrypt."""
        if (own := shutil.which("psql")) is not None:
            return Path(own)
        package = package_folder()
        if package is None:
            raise StackError("psql is not installed, which makes the roles. Install it (Debian: postgresql-client).")
        if self._settings.database_ca_file is not None:
            raise StackError(
                "PAPPUS_DATABASE_CA_FILE is set, and the psql that Pappus brings cannot encrypt. Install one that can"
                " (Debian: postgresql-client), and run pappus prepare again."
            )
        return package / INSTALLED / "bin" / "psql"

    async def _tables(self) -> str:
        applied = [name for service in SERVICES for name in await self._migrate(service)]
        return f"{len(applied)} migrations applied" if applied else "no migration is missing"

    async def _topics(self) -> str:
        # The client takes long to import: only here is it needed.
        from shared.messaging.kafka import Copies, create_topics

        copies = Copies(self._settings.kafka_replication_factor, self._settings.kafka_min_insync_replicas)
        made = await create_topics(self._settings.kafka, copies=copies)
        return f"{len(made)} topics created" if made else "all topics are there"

    async def _buckets(self) -> str:
        settings, root = self._settings, self._credentials.s3["root"]
        try:
            await asyncio.to_thread(
                make_buckets, settings.store_endpoint, settings.s3_region, root, settings.s3_ca_file
            )
        except ObjectStoreAway as error:
            raise TransientError(str(error)) from error
        return "buckets and policies are there"

    async def _migrate(self, service: str) -> list[str]:
        connection = await connector(self._dsn_of(service), service)()
        try:
            with transient_errors():
                return await migrate(connection, service, ("shared.tables.sql", f"services.{service}.data.sql"))
        finally:
            await close(connection)

    async def _answers(self, schema: str, dsn: str) -> None:
        await close(await connector(dsn, schema)())

    def _dsn_of(self, role: str, database: str = DATABASE) -> str:
        """Return the address of a database, with the password of this role."""
        url = urlsplit(self._settings.database_dsn)
        login = f"{role}:{quote(self._credentials.postgres[role], safe='')}"
        return url._replace(netloc=f"{login}@{url.netloc.rpartition('@')[2]}", path=f"/{database}").geturl()

    @property
    def _credentials(self) -> Credentials:
        file = self._settings.credentials_file
        if file is None:
            raise StackError(
                "PAPPUS_CREDENTIALS_FILE is not set: name the credentials.json that `pappus secrets` wrote."
            )
        try:
            return Credentials.parse(file.read_bytes(), file)
        except OSError as error:
            raise StackError(
                f"PAPPUS_CREDENTIALS_FILE names {file}, which cannot be read: {error.strerror}."
            ) from error
