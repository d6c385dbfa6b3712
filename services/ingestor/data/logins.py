"""Users and passwords that stood in URLs, while their rows have no final outcome."""

from shared.tables.database import Database


class Logins:
    """The table `url_logins`. The trigger of `plants_data` fills it, the projection empties it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, url: str) -> str | None:
        """Return `user:password` as it was written in front of this URL, None without one.

        Raises:
            TransientError: PostgreSQL is away.
        """
        login: str | None = await self._database.fetchval("SELECT login FROM url_logins WHERE url_source = $1", url)
        return login
