"""Users and passwords that stood in URLs, while their rows have no final outcome."""

from collections.abc import Sequence

from shared.runtime.batcher import Batcher
from shared.tables.database import Database

AT_ONCE = 100
"""URLs in one question at most."""


class Logins:
    """The table `url_logins`. The trigger of `plants_data` fills it, the projection empties it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: Batcher[str, str | None] = Batcher(self._find, AT_ONCE)

    async def of(self, url: str) -> str | None:
        """Return `user:password` as it was written in front of this URL, None without one.

        Raises:
            TransientError: PostgreSQL is away.
        """
        return await self._asked.call(url)

    async def _find(self, urls: Sequence[str]) -> list[str | None]:
        rows = await self._database.fetch("SELECT url_source, login FROM url_logins WHERE url_source = ANY($1)", urls)
        logins: dict[str, str] = {row["url_source"]: row["login"] for row in rows}
        return [logins.get(url) for url in urls]
