"""The accounts of people who log in with the provider, known by issuer and subject in the table of users."""

from datetime import datetime

from services.labeler.accounts.sessions import Principal
from services.labeler.accounts.sign_on.errors import NotAdmitted
from services.labeler.accounts.users import Users
from services.labeler.decisions.sign_on import Admitted, Turned
from services.labeler.provider_settings import ProviderSettings
from shared.runtime.audit import audit
from shared.tables.database import Database
from shared.tables.postgres import Row


class ProviderPeople:
    """Finds and makes accounts. Two logins of one person at once, also on two replicas, make one account."""

    def __init__(self, database: Database, users: Users, settings: ProviderSettings) -> None:
        self._database = database
        self._users = users
        self._settings = settings

    async def let_in(self, person: Admitted, now: datetime) -> Principal:
        """Return the person in the role they have now; their account is made at their first login.

        Raises:
            NotAdmitted: an admin keeps them out, or their name is another account's.
        """
        found = await self._find(person.subject) or await self._make(person, now)
        if found["disabled_at"] is not None:
            raise NotAdmitted(
                f"An admin keeps {found['name']} out of this installation. Ask an admin.", person.subject, "kept_out"
            )
        role = found["role"]
        if self._settings.admission.gives_roles and role != person.role:
            update = "UPDATE users SET role = $3 WHERE issuer = $1 AND subject = $2"
            await self._database.execute(update, self._settings.issuer, person.subject, person.role)
            audit("change_role", who=self._settings.issuer, on=found["name"], outcome=person.role)
            role = person.role
        self._users.forget()
        return Principal(found["name"], role)

    async def turn_away(self, turned: Turned, now: datetime) -> None:
        """End the sessions of a person whom the provider let in before, and does not any more."""
        end = "UPDATE users SET sessions_from = $3 WHERE issuer = $1 AND subject = $2"
        await self._database.execute(end, self._settings.issuer, turned.subject, now)
        self._users.forget()

    async def _find(self, subject: str) -> Row | None:
        query = "SELECT name, role, disabled_at FROM users WHERE issuer = $1 AND subject = $2"
        return await self._database.fetchrow(query, self._settings.issuer, subject)

    async def _make(self, person: Admitted, now: datetime) -> Row:
        settings = self._settings
        if person.name is None:
            raise NotAdmitted(
                f"The claim {settings.admission.name_claim!r} of {settings.name} holds no name of at most 100 printable"
                " characters. Those who run this installation name another claim in PAPPUS_OIDC_NAME_CLAIM.",
                person.subject,
            )
        made = await self._database.fetchval(
            """INSERT INTO users (name, role, password_hash, sessions_from, made_by, made_at, issuer, subject)
               VALUES ($1, $2, '', $3, $4, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING name""",
            person.name,
            person.role,
            now,
            settings.issuer,
            person.subject,
        )
        found = await self._find(person.subject)
        if found is None:
            raise NotAdmitted(
                f"There is an account {person.name} here already, which is not of {settings.name}. If it is yours, ask"
                f" an admin to join both on the page People: {settings.name} knows you as {person.subject}",
                person.subject,
                "name_taken",
            )
        if made is not None:
            audit("add_user", who=settings.issuer, on=person.name, outcome=person.role)
        return found
