"""Migrations: SQL files of a package, applied in the order of their names, each once."""

import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files

from shared.runtime.errors import PappusError
from shared.tables.postgres import Transaction

_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
    name       text        PRIMARY KEY,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


async def migrate(connection: Transaction, schema: str, packages: Sequence[str]) -> list[str]:
    """Make `schema` if it is missing and apply what it lacks, in one transaction under an advisory lock, so that any
    number of processes may call this at once. Gives the names of what was applied.

    Raises:
        PappusError: an applied migration was changed afterwards, or a package holds none.
    """
    applied: list[str] = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{schema}.migrations")
        if await connection.fetchval("SELECT to_regnamespace($1)", schema) is None:
            await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(f"SET LOCAL search_path TO {schema}, public")
        if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.migrations") is None:
            await connection.execute(_LEDGER)
        known = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migrations")}
        for name, sql in _scripts(packages):
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if name not in known:
                await connection.execute(sql)
                await connection.execute("INSERT INTO migrations (name, sha256) VALUES ($1, $2)", name, digest)
                applied.append(name)
            elif known[name] != digest:
                raise PappusError(f"Migration {name} was changed after schema {schema} had it: add a new file instead.")
    return applied


async def missing_migrations(connection: Transaction, schema: str, packages: Sequence[str]) -> list[str]:
    """Return the names of the migrations that `schema` lacks; all of them if there is no such schema."""
    known: set[str] = set()
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.migrations") is not None:
        known = {row["name"] for row in await connection.fetch(f"SELECT name FROM {schema}.migrations")}  # noqa: S608
    return [name for name, _ in _scripts(packages) if name not in known]


def _scripts(packages: Sequence[str]) -> Iterator[tuple[str, str]]:
    for package in packages:
        scripts = {entry.name: entry for entry in files(package).iterdir() if entry.name.endswith(".sql")}
        if not scripts:
            raise PappusError(f"Package {package} holds no .sql files: name the folder with the migrations.")
        for name, script in sorted(scripts.items()):
            yield f"{package}/{name}", script.read_text()
