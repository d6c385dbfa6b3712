"""The days of the table `predictions`: each is a table of its own (a partition), made ahead and dropped whole.

An event has one time, so id and time together are as unique as the id. What comes for a day without a table is kept in
`predictions_other`, until the next call makes that table.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.tables.database import Database
from shared.tables.projection import Transaction

AHEAD = 2
"""Days after today whose tables are there: a worker may be down so long, and clocks may differ."""
_PREFIX = "predictions_"
_TABLES = """
SELECT child.relname AS name FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'predictions'::regclass AND child.relname ~ '^predictions_[0-9]{8}$' ORDER BY child.relname
"""
_MISSING = """
SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date AS day FROM predictions_other
WHERE occurred_at >= $1 AND occurred_at < $2 ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class KeptDays:
    """What a call did: days whose tables it made, days whose tables it dropped, and single rows that it deleted."""

    made: tuple[date, ...]
    dropped: tuple[date, ...]
    rows: int


async def keep_days(database: Database, now: datetime, days: int) -> KeptDays:
    """Make the tables of today and the days after it, and of days with rows that have none; drop those whose rows are
    all older than `days`. Any number of processes may call it at once. Raises TransientError."""
    today = now.astimezone(UTC).date()
    oldest, last = today - timedelta(days=days), today + timedelta(days=AHEAD)
    async with database.transaction() as transaction:
        await transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{database.schema}.days")
        wanted = {today + timedelta(days=ahead) for ahead in range(AHEAD + 1)}
        rows = await transaction.fetch(_MISSING, _begin(oldest), _begin(last + timedelta(days=1)))
        made = [day for day in sorted(wanted | {row["day"] for row in rows}) if await _make(transaction, day)]
        dropped = [day for day in await days_of(transaction) if day < oldest]
        for day in dropped:
            await transaction.execute(f"DROP TABLE {_PREFIX}{day:%Y%m%d}")
        status = await transaction.execute("DELETE FROM predictions_other WHERE occurred_at < $1", _begin(oldest))
    return KeptDays(tuple(made), tuple(dropped), int(status.rsplit(" ", 1)[-1]))


async def days_of(transaction: Transaction) -> list[date]:
    """Return the days that have tables, in their order."""
    names = [str(row["name"]).removeprefix(_PREFIX) for row in await transaction.fetch(_TABLES)]
    return [date(int(name[:4]), int(name[4:6]), int(name[6:])) for name in names]


async def _make(transaction: Transaction, day: date) -> bool:
    return bool(await transaction.fetchval("SELECT make_day_of_predictions($1)", day))


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
