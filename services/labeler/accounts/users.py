"""The users: their names, roles and password hashes (Argon2id, RFC 9106). They are input and come from no event."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.labeler.accounts.users_file import NEW_PASSWORD_CHARACTERS, User
from shared.contract.roles import Role
from shared.runtime.audit import audit
from shared.runtime.threads import call_holding
from shared.tables.database import Database

CACHE_SECONDS = 2.0
"""For how long a user is remembered after the table was asked."""


@dataclass(frozen=True, slots=True)
class Account:
    """One row of the table. `made_by`: the admin who made it in the app, or the issuer that a person first came from;
    None for one of the users file. `issuer`: with whom the person logs in; None: with a password."""

    name: str
    role: Role
    password_hash: str
    sessions_from: datetime
    made_by: str | None = None
    issuer: str | None = None


def _tell(act: str, name: str, outcome: str = "done") -> None:
    audit(act, who="the users file", on=name, outcome=outcome)


def _tell_changes(before: Account | None, now: Account) -> None:
    """Write what changed to the audit log."""
    if before is None:
        _tell("add_user", now.name, now.role)
        return
    if now.role != before.role:
        _tell("change_role", now.name, now.role)
    if now.password_hash != before.password_hash:
        _tell("change_password", now.name)
    elif now.sessions_from != before.sessions_from:
        _tell("log_out", now.name)


class Users:
    """The table of users. Hashing takes 50 ms of several cores on purpose, so it runs in a thread, one at a time."""

    def __init__(self, database: Database, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Lock()
        self._cached: dict[str, tuple[float, Account | None]] = {}
        self._hash_of_no_user = ""
        self._key = secrets.token_bytes(32)

    async def prepare(self) -> None:
        """Make the hash that a password is compared with when there is no such user, so that this takes as long."""
        self._hash_of_no_user = await self.hash("a password of no user")

    async def set_all(self, users: Iterable[User], now: datetime) -> list[str]:
        """Make the table name these users, and no others but those who were added in the app. A password that still
        verifies keeps its hash; another one ends the sessions of its user. The file wins: it takes over the account of
        the same name that was made in the app.

        Returns:
            A sentence for each user who was left as before, because the new password is too short.
        """
        complaints = []
        users = list(users)
        for user in users:
            if not await self._set(user, now):
                complaints.append(
                    f"The new password of {user.name} has fewer than {NEW_PASSWORD_CHARACTERS} characters and does not"
                    f" count. Choose a longer one: pappus users password {user.name}."
                )
        gone = "DELETE FROM users WHERE made_by IS NULL AND name <> ALL($1) RETURNING name"
        for row in await self._database.fetch(gone, [user.name for user in users]):
            _tell("remove_user", row["name"])
        self.forget()
        return complaints

    async def find(self, name: str) -> Account | None:
        """Return a user; None if there is no such user. At most CACHE_SECONDS old."""
        now = asyncio.get_running_loop().time()
        known = self._cached.get(name)
        if known is None or now - known[0] > CACHE_SECONDS:
            if len(self._cached) > 10_000:  # any client may send any name
                self._cached.clear()
            known = self._cached[name] = now, await self._read(name)
        return known[1]

    def forget(self) -> None:
        """Ask the table again about each user, since it was changed."""
        self._cached.clear()

    async def verify(self, account: Account | None, password: str) -> bool:
        """Return whether this is the password of the user. Takes the same time without a user."""
        right = await self._verify(self._hash_of_no_user if account is None else account.password_hash, password)
        return right and account is not None

    def digest(self, account: Account, password: str) -> bytes:
        """Return what recognises a password that was right before, in the memory of this process only."""
        return hmac.digest(self._key, f"{account.password_hash}\0{password}".encode(), hashlib.sha256)

    async def _read(self, name: str) -> Account | None:
        query = """SELECT name, role, password_hash, sessions_from, made_by, issuer FROM users
                   WHERE name = $1 AND disabled_at IS NULL"""
        row = await self._database.fetchrow(query, name)
        return None if row is None else Account(**row)

    async def _set(self, user: User, now: datetime) -> bool:
        stored, password = await self._read(user.name), user.password.get_secret_value()
        since = user.sessions_from
        if stored is not None and await self._verify(stored.password_hash, password):
            password_hash, since = stored.password_hash, max(stored.sessions_from, since or stored.sessions_from)
        elif len(password) < NEW_PASSWORD_CHARACTERS:
            return False
        else:
            password_hash, since = await self.hash(password), max(now, since or now)
        await self._database.execute(
            """INSERT INTO users (name, role, password_hash, sessions_from) VALUES ($1, $2, $3, $4)
               ON CONFLICT (name) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash,
                                                sessions_from = excluded.sessions_from,
                                                made_by = NULL, disabled_at = NULL,
                                                issuer = NULL, subject = NULL""",
            user.name,
            user.role,
            password_hash,
            since,
        )
        _tell_changes(stored, Account(user.name, user.role, password_hash, since))
        return True

    async def hash(self, password: str) -> str:
        """Return what the table keeps of a password."""
        return await call_holding(self._turn, self._hasher.hash, password)

    async def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return await call_holding(self._turn, self._hasher.verify, password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
