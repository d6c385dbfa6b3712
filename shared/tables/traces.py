"""The trace context of folded events, by event id: what a reconciler or a training made from many events refers to."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from shared.tables.database import Database
from shared.tables.postgres import Transaction

KEPT_HOURS = 24
MOST_CAUSES = 128
"""A span keeps no more links."""
_KEEP = """
INSERT INTO traces (event_id, parent) SELECT * FROM unnest($1::uuid[], $2::text[]) ON CONFLICT DO NOTHING
"""
_FORGET = f"DELETE FROM traces WHERE kept_at < now() - interval '{KEPT_HOURS} hours'"  # noqa: S608 - a number
_FIND = "SELECT parent FROM traces WHERE event_id = ANY($1::uuid[])"


async def keep(transaction: Transaction, parents: Mapping[UUID, str]) -> None:
    """Keep the `traceparent` of each of these events, in the transaction that folds them."""
    if parents:
        await transaction.execute(_KEEP, list(parents), list(parents.values()))


async def forget_old(transaction: Transaction) -> None:
    """Delete what is older than KEPT_HOURS."""
    await transaction.execute(_FORGET)


async def find_traces(database: Database, causes: Sequence[UUID]) -> list[str]:
    """Return the `traceparent` of those of these events that have one still, of the last MOST_CAUSES at most."""
    if not causes:
        return []
    return [row["parent"] for row in await database.fetch(_FIND, list(causes[-MOST_CAUSES:]))]
