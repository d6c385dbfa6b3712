"""Accounts that admins make and change in the app. Those of the users file are changed there."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import NEW_PASSWORD_CHARACTERS
from services.labeler.commands.outcomes import Refused
from services.labeler.provider_settings import ProviderSettings
from shared.contract.roles import Role, with_article
from shared.runtime.clock import Clock
from shared.tables.database import Database
from shared.tables.postgres import Row, Transaction

PASSWORD_BYTES = 12
"""Of a generated password: 96 bits, written as sixteen characters."""


class Administration:
    """Changes accounts. Each method raises Refused, with what to do, and TransientError.

    One change is made at a time, on all replicas, so that two admins cannot take the role from each other at once.
    """

    def __init__(
        self, database: Database, users: Users, clock: Clock, provider: ProviderSettings | None = None
    ) -> None:
        """`provider`: what people log in with besides passwords; None: nothing else."""
        self._database = database
        self._users = users
        self._clock = clock
        self._provider = provider

    async def add(self, admin: str, name: str, role: Role) -> str:
        """Make an account and return its password."""
        if not name.isprintable():
            raise Refused("invalid_name", "A name has printable characters only. Choose another one.")
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        password_hash, now = await self._users.hash(password), self._clock()
        async with self._changing(admin) as connection:
            made = await connection.fetchval(
                """INSERT INTO users (name, role, password_hash, sessions_from, made_by, made_at)
                   VALUES ($1, $2, $3, $5, $4, $5) ON CONFLICT (name) DO NOTHING RETURNING name""",
                name,
                role,
                password_hash,
                admin,
                now,
            )
        if made is None:
            raise Refused("name_taken", f"There is an account {name} already. Change it, or choose another name.")
        return password

    async def set_role(self, admin: str, name: str, role: Role) -> None:
        """Give a person another role, from the next request on."""
        async with self._changing(admin, name) as connection:
            if self._provider is not None and self._provider.admission.gives_roles:
                await _refuse_of_provider(connection, name, "role")
            await connection.execute("UPDATE users SET role = $2 WHERE name = $1", name, role)

    async def set_disabled(self, admin: str, name: str, disabled: bool) -> None:
        """Let a person not log in any more, and end their sessions; or let them log in again."""
        async with self._changing(admin, name) as connection:
            if disabled:
                statement = """UPDATE users SET disabled_at = coalesce(disabled_at, $2), sessions_from = $2
                               WHERE name = $1"""
                await connection.execute(statement, name, self._clock())
            else:
                await connection.execute("UPDATE users SET disabled_at = NULL WHERE name = $1", name)

    async def reset_password(self, admin: str, name: str) -> str:
        """Return a new password of a person, whose sessions end."""
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        password_hash = await self._users.hash(password)
        async with self._changing(admin, name) as connection:
            await _refuse_of_provider(connection, name, "password")
            await _set_password(connection, name, password_hash, self._clock())
        return password

    async def join(self, admin: str, name: str, subject: str) -> None:
        """Let the person whom the provider knows as `subject` log in to this account, instead of with a password; the
        sessions before end."""
        if self._provider is None:
            raise Refused(
                "no_provider", "There is no provider to log in with: those who run Pappus set PAPPUS_OIDC_ISSUER."
            )
        async with self._changing(admin, name) as connection:
            other = "SELECT name FROM users WHERE issuer = $1 AND subject = $2 AND name <> $3"
            taken = await connection.fetchval(other, self._provider.issuer, subject, name)
            if taken is not None:
                raise Refused("subject_taken", f"{self._provider.name} logs this person in as {taken} already.")
            statement = """UPDATE users SET issuer = $2, subject = $3, password_hash = '', sessions_from = $4
                           WHERE name = $1"""
            await connection.execute(statement, name, self._provider.issuer, subject, self._clock())

    async def change_own_password(self, name: str, password: str, new_password: str) -> None:
        """Change the password of the person who asks; all their sessions end."""
        account = await self._users.find(name)
        if account is not None and account.issuer is not None:
            raise account_of_provider(name, "password", account.issuer)
        if not await self._users.verify(account, password) or account is None:
            raise Refused("wrong_password", "The present password is wrong. Type it again.")
        if account.made_by is None:
            raise account_of_file(name)
        if len(new_password) < NEW_PASSWORD_CHARACTERS:
            least = f"A new password has at least {NEW_PASSWORD_CHARACTERS} characters. Choose a longer one."
            raise Refused("password_too_short", least)
        password_hash = await self._users.hash(new_password)
        async with self._database.transaction() as connection:
            changed = await _set_password(connection, name, password_hash, self._clock(), account.password_hash)
        self._users.forget()
        if not changed:
            raise Refused("wrong_password", "The password was changed meanwhile. Log in with the new one.")

    @asynccontextmanager
    async def _changing(self, admin: str, name: str | None = None) -> AsyncIterator[Transaction]:
        """Yield the connection on which the account `name`, None for a new one, may be changed by this admin."""
        async with self._database.transaction() as connection:
            await connection.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
            query = "SELECT role FROM users WHERE name = $1 AND disabled_at IS NULL"
            role = await connection.fetchval(query, admin)
            if role != "admin":
                had = "has no account any more" if role is None else f"is {with_article(role)} now"
                raise Refused("not_an_admin", f"{admin} {had}, and only an admin changes accounts. Log in again.")
            if name is not None:
                _refuse_unchangeable(
                    admin, name, await connection.fetchrow("SELECT made_by FROM users WHERE name = $1", name)
                )
            yield connection
        self._users.forget()


def _refuse_unchangeable(admin: str, name: str, found: Row | None) -> None:
    if found is None:
        raise person_unknown(name)
    if found["made_by"] is None:
        raise account_of_file(name)
    if name == admin:
        raise own_account()


def person_unknown(name: str) -> Refused:
    """Return the refusal of a name that no account has."""
    return Refused("person_unknown", f"There is no account {name}. Look at the list again.")


def own_account() -> Refused:
    """Return the refusal of a change of one's own role."""
    return Refused(
        "own_account",
        "Your own account is changed by another admin, so that one is always left. Your password: POST /me/password.",
    )


def account_of_file(name: str) -> Refused:
    """Return the refusal of a change that only the users file can make."""
    return Refused(
        "account_of_file",
        f"{name} is in the users file, and changed there: pappus users role | password | remove {name}.",
    )


def account_of_provider(name: str, what: str, issuer: str) -> Refused:
    """Return the refusal of a change that only the provider can make."""
    return Refused("account_of_provider", f"{name} logs in with {issuer}: the {what} is changed there.")


async def _refuse_of_provider(connection: Transaction, name: str, what: str) -> None:
    issuer = await connection.fetchval("SELECT issuer FROM users WHERE name = $1", name)
    if issuer is not None:
        raise account_of_provider(name, what, issuer)


async def _set_password(
    connection: Transaction, name: str, password_hash: str, now: object, known_hash: str | None = None
) -> bool:
    """Set a password and end the sessions before it. With `known_hash` only if that is still the present one."""
    changed = await connection.fetchval(
        """UPDATE users SET password_hash = $2, sessions_from = $3
           WHERE name = $1 AND ($4::text IS NULL OR password_hash = $4) RETURNING name""",
        name,
        password_hash,
        now,
        known_hash,
    )
    return changed is not None
