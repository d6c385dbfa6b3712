"""Filters of Browse that a person saved under a name, to review what they show."""

from datetime import datetime

from shared.clients.browse import ImageFilter, Sort
from shared.clients.review import SavedFilter
from shared.tables.database import Database

MOST = 50
"""So many filters a person can save."""


async def saved_filters(database: Database, person: str) -> list[SavedFilter]:
    """Return what this person saved, by name."""
    rows = await database.fetch("SELECT name, filter, sort FROM saved_filters WHERE person = $1 ORDER BY name", person)
    return [SavedFilter(name=row["name"], filter=row["filter"], sort=row["sort"]) for row in rows]


async def save_filter(
    database: Database, person: str, name: str, asked: ImageFilter, sort: Sort, now: datetime
) -> bool:
    """Save a filter, in the place of one with this name. Return False if the person has MOST others."""
    status = await database.execute(
        """INSERT INTO saved_filters (person, name, filter, sort, saved_at)
           SELECT $1, $2, $3, $4, $5
           WHERE (SELECT count(*) FROM saved_filters WHERE person = $1 AND name <> $2) < $6
           ON CONFLICT (person, name)
               DO UPDATE SET filter = excluded.filter, sort = excluded.sort, saved_at = excluded.saved_at""",
        person,
        name,
        asked.params(),
        sort,
        now,
        MOST,
    )
    return status != "INSERT 0 0"


async def forget_filter(database: Database, person: str, name: str) -> None:
    """Forget a filter, if there is one with this name."""
    await database.execute("DELETE FROM saved_filters WHERE person = $1 AND name = $2", person, name)
