"""The content of a schema as hashes, to compare tables that were folded twice."""

import hashlib
from collections.abc import Sequence

from shared.tables.database import Database

_TABLES = """
SELECT relname AS tablename FROM pg_class
WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""
"""Rows of a partition are those of its table."""
_NEVER = ("migrations", "fold", "traces", "changed_images", "event_numbers", "completion_numbers")
"""They tell of the code, of when it ran and what it read first, and of who watched, not of events: two schemas need not
agree on them."""
_ROWS_AT_ONCE = 1000


async def canonical_dump(
    database: Database, tables: Sequence[str] | None = None, without: Sequence[str] = ()
) -> dict[str, str]:
    """Return the sha256 of each table's rows as text, in an order that does not depend on how they came in, all of one
    moment.

    `tables` None means all of the schema, `positions` too; those in `without` are left out (tables that are not
    folded from events: credentials, ledgers of effects), and so is what is no fold (`_NEVER`). The rows are streamed:
    the memory needed does not grow with the table.
    """
    hashes = {}
    async with database.transaction() as transaction:
        await transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await transaction.execute("SET LOCAL timezone TO 'UTC'")
        if tables is None:
            tables = [row["tablename"] for row in await transaction.fetch(_TABLES, database.schema)]
        for table in tables:
            if table in without or table in _NEVER:
                continue
            sql = f'SELECT whole_row::text AS line FROM "{table}" AS whole_row ORDER BY whole_row::text COLLATE "C"'  # noqa: S608
            digest = hashlib.sha256()
            async for row in transaction.cursor(sql, prefetch=_ROWS_AT_ONCE):
                digest.update(row["line"].encode() + b"\n")
            hashes[table] = digest.hexdigest()
    return hashes
