"""The users: their names, roles and password hashes (Argon2id, RFC 9106). They are input and come from no event."""

import asyncio
import json
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError

from services.labeler.accounts.sessions import Principal
from shared.clients.answers import Role
from shared.runtime.errors import PappusError
from shared.tables.database import Database


class User(BaseModel):
    """One entry of the users file."""

    name: str = Field(min_length=1, max_length=100)
    role: Role
    password: SecretStr = Field(min_length=8)


def read_users(path: Path) -> list[User]:
    """Read users from a JSON file, [{name, role, password}]. Raises PappusError if it has another form."""
    try:
        return TypeAdapter(list[User]).validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        reason = error.errors(include_input=False) if isinstance(error, ValidationError) else error
        raise PappusError(
            f"{path} is no list of users: {reason}. It must be JSON [{{name, role, password}}]."
        ) from error


class Users:
    """The table of users. Hashing takes 50 ms of a core on purpose, so it runs in threads, at most two at a time."""

    def __init__(self, database: Database, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._dummy_hash: str | None = None

    async def upsert(self, users: list[User]) -> None:
        """Insert or update `users`; other rows stay. A password that still verifies keeps its hash."""
        for user in users:
            stored = await self._database.fetchval("SELECT password_hash FROM users WHERE name = $1", user.name)
            password = user.password.get_secret_value()
            if stored is None or not await self._verify(stored, password):
                stored = await self._hash(password)
            await self._database.execute(
                """INSERT INTO users (name, role, password_hash) VALUES ($1, $2, $3)
                   ON CONFLICT (name) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash""",
                user.name,
                user.role,
                stored,
            )

    async def log_in(self, name: str, password: str) -> Principal | None:
        """Return the user, or None for a wrong name or password. Both take the same time."""
        if self._dummy_hash is None:
            self._dummy_hash = await self._hash("a password of no user")
        row = await self._database.fetchrow("SELECT role, password_hash FROM users WHERE name = $1", name)
        right = await self._verify(self._dummy_hash if row is None else row["password_hash"], password)
        return Principal(name, row["role"]) if row is not None and right else None

    async def _hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _verify(self, password_hash: str, password: str) -> bool:
        async with self._turns:
            try:
                return await asyncio.to_thread(self._hasher.verify, password_hash, password)
            except (VerificationError, InvalidHashError):
                return False
