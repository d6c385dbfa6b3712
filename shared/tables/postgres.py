"""Connections to PostgreSQL: types, codecs, and which errors are transient. The only importer of asyncpg."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shared.runtime.certificates import explain_certificate
from shared.runtime.errors import PappusError, TransientError
from shared.runtime.telemetry import logger

Row = asyncpg.Record
"""One row: values by column name or by position (`row[0]`)."""
Connection = asyncpg.Connection
"""A connection outside of the pool, with a listener or a lock of its own."""
Pool = asyncpg.Pool
Transaction = asyncpg.Connection | PoolConnectionProxy
"""A connection, inside a transaction where so stated. Arguments of its statements are $1, $2, ..."""
Connect = Callable[[], Awaitable[Connection]]

_PASSING: tuple[type[Exception], ...] = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server shuts down, or an operator terminated the connection
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.InvalidCachedStatementError,  # a replay has just swapped the schema
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.InternalClientError,  # the connection went away in the middle of a call
    TimeoutError,  # a statement took longer than its connection allows
)
REFUSALS: tuple[type[Exception], ...] = (
    asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password, or a user that does not exist
    asyncpg.InvalidCatalogNameError,  # no such database
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
)
"""Errors that say that this user is wrong here, or this database."""
CONNECT_SECONDS = 10.0
STATEMENT_SECONDS = 60.0
"""How long a statement may take: a server that was frozen, or a link that died, answers nothing, and says nothing."""
_SERVER_SETTINGS = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "15000",
}
"""The server ends the session of a host that went away within 15 s, and with it its locks; by default after two
hours."""
_GONE = ("closed", "released back to the pool", "terminated")


@contextmanager
def transient_errors() -> Iterator[None]:
    """Turn passing errors of PostgreSQL (restart, deadlock, a lost connection, no answer, a schema just swapped) into
    TransientError. Other errors, a violated constraint for example, pass unchanged."""
    try:
        yield
    except _PASSING as error:
        raise TransientError(f"PostgreSQL did not answer as it should: {error!r}. Is it running?") from error
    except asyncpg.InterfaceError as error:
        if not any(word in str(error) for word in _GONE):
            raise  # wrong use of the client, which no retry heals
        raise TransientError(f"The connection to PostgreSQL was lost: {error!r}. Is it running?") from error


class DatabaseRefused(PappusError):
    """PostgreSQL answers, and does not let this process in with its settings; the text names the one to correct."""


@contextmanager
def connecting() -> Iterator[None]:
    """Turn passing errors of PostgreSQL, as `transient_errors` does, and any failure of the network into
    TransientError, and what is wrong with the settings into DatabaseRefused. It is for blocks that do nothing but ask
    PostgreSQL."""
    try:
        with _settings_errors(), transient_errors():
            yield
    except (OSError, TimeoutError) as error:
        raise TransientError(
            f"PostgreSQL cannot be reached: {error!r}. Is it running, at PAPPUS_DATABASE_URL?"
        ) from error


@contextmanager
def _settings_errors() -> Iterator[None]:
    """Turn an address that cannot be read, and a refused login, certificate or encryption into DatabaseRefused."""
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise DatabaseRefused(f"PAPPUS_DATABASE_URL cannot be used ({error}): correct it.") from error
    except asyncpg.InvalidPasswordError as error:
        raise DatabaseRefused(
            f"PostgreSQL refused the login ({error}): correct PAPPUS_DATABASE_URL or the secret"
            " pappus_database_password."
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseRefused(
            f"PostgreSQL refused the connection ({error}): correct PAPPUS_DATABASE_URL or PAPPUS_DATABASE_CA_FILE."
        ) from error
    except ssl.SSLCertVerificationError as error:
        said = explain_certificate(error, "PAPPUS_DATABASE_CA_FILE", "PAPPUS_DATABASE_URL")
        raise DatabaseRefused(f"PostgreSQL shows a certificate that {said}") from error
    except FileNotFoundError as error:
        raise DatabaseRefused(
            "The file that PAPPUS_DATABASE_CA_FILE, or sslrootcert in PAPPUS_DATABASE_URL, names is not there: mount"
            " it, readable by the user of this process."
        ) from error
    except TransientError as error:
        if "rejected SSL upgrade" not in str(error):  # asyncpg has no class of its own for it
            raise
        raise DatabaseRefused(
            "PostgreSQL speaks no TLS, which PAPPUS_DATABASE_CA_FILE or sslmode asks for: turn it on there (ssl = on),"
            " or correct PAPPUS_DATABASE_URL."
        ) from error


def connector(url: str, schema: str) -> Connect:
    """A function that opens a connection with `schema` as its search path (and `public`, where extensions live). Its
    statements may take as long as they need: it is for migrations and locks. It raises TransientError when PostgreSQL
    is away."""
    settings = _settings(schema)

    async def connect() -> Connection:
        with connecting():
            connection = await asyncpg.connect(url, server_settings=settings, timeout=CONNECT_SECONDS)
            await _set_codecs(connection)
            return connection

    return connect


async def open_pool(url: str, schema: str, connections: int, *, at_once: int = 1) -> Pool:
    """A pool of at most `connections` connections with `schema` as their search path; `at_once` of them are opened
    now, with 0 PostgreSQL need not be there. A statement that takes longer than STATEMENT_SECONDS is a
    TransientError."""
    settings = _settings(schema)
    with connecting():
        return await asyncpg.create_pool(
            url,
            min_size=at_once,
            max_size=connections,
            init=_set_codecs,
            server_settings=settings,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            reset=_keep_session,
        )


@asynccontextmanager
async def pooled(pool: Pool) -> AsyncIterator[Transaction]:
    """Yield a connection of the pool for one statement. If it is cancelled the connection is dropped: asyncpg may
    have prepared the statement and not said that nothing follows, and then the server keeps its locks."""
    with connecting():
        async with pool.acquire() as connection:
            try:
                yield connection
            except asyncio.CancelledError:
                connection.terminate()
                raise


async def _keep_session(_connection: Connection) -> None:
    """Ask nothing when a connection returns to its pool, which has ended an open transaction by then. asyncpg would
    send a statement that resets the session, one round trip for each of ours; no statement on a pool's connection
    changes its session (settings are SET LOCAL; LISTEN, locks and names have connections of their own)."""


async def close(resource: Connection | Pool) -> None:
    """End in an orderly way, for at most 5 s; else at once."""
    try:
        async with asyncio.timeout(5):
            await resource.close()
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        logger.warning("a connection to PostgreSQL was dropped", reason=repr(error))
        resource.terminate()


def _settings(schema: str) -> dict[str, str]:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,50}", schema):
        raise PappusError(
            f"{schema!r} is no schema name: use lower-case letters, digits and _, starting with a letter."
        )
    return {"search_path": f"{schema}, public", "application_name": f"pappus {schema}", **_SERVER_SETTINGS}


async def _set_codecs(connection: Connection) -> None:
    for name in ("jsonb", "json"):
        await connection.set_type_codec(name, encoder=_to_json, decoder=json.loads, schema="pg_catalog")


def _to_json(value: object) -> str:
    return json.dumps(value, default=_json_scalar)


def _json_scalar(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"A {type(value).__name__} cannot be stored in a jsonb column: convert it first.")
