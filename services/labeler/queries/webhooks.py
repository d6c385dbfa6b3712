"""Queries about webhooks, and how far each has come."""

from datetime import datetime
from uuid import UUID

from shared.clients.webhooks import WebhookView
from shared.tables.database import Database
from shared.tables.postgres import Row


async def all_webhooks(database: Database) -> list[WebhookView]:
    """Return all webhooks, the oldest first."""
    return [view_of(row) for row in await database.fetch("SELECT * FROM webhooks ORDER BY made_at, webhook_id")]


def view_of(row: Row) -> WebhookView:
    """Return a row of the table, without its secret."""
    return WebhookView(**{name: row[name] for name in WebhookView.model_fields})


async def due_webhooks(database: Database, now: datetime) -> list[Row]:
    """Return those that are not stopped, and whose next try, if there is one, is due."""
    return await database.fetch(
        "SELECT * FROM webhooks WHERE stopped_at IS NULL AND coalesce(next_try_at <= $1, true)", now
    )


async def move_webhook(database: Database, webhook_id: UUID, before: int, after: int) -> bool:
    """Say that events up to the number `after` need not be sent any more. Return False, and change nothing, if the
    webhook is not at `before` any more: another process was quicker, or it is gone."""
    sql = "UPDATE webhooks SET delivered = $3 WHERE webhook_id = $1 AND delivered = $2"
    return await database.execute(sql, webhook_id, before, after) == "UPDATE 1"


async def keep_delivery(database: Database, webhook_id: UUID, before: int, number: int, now: datetime) -> bool:
    """Say that this event has arrived; the same condition."""
    sql = """UPDATE webhooks
             SET delivered = $3, failures = 0, next_try_at = NULL, last_error = '', last_delivered_at = $4
             WHERE webhook_id = $1 AND delivered = $2"""
    return await database.execute(sql, webhook_id, before, number, now) == "UPDATE 1"


async def keep_failure(
    database: Database, row: Row, delivered: int, error: str, next_try_at: datetime, stopped_at: datetime | None
) -> None:
    """Say that the event behind `delivered` did not arrive; another process may have said so already."""
    failures = row["failures"] if delivered == row["delivered"] else 0
    await database.execute(
        """UPDATE webhooks SET failures = failures + 1, last_error = $4, next_try_at = $5, stopped_at = $6
           WHERE webhook_id = $1 AND delivered = $2 AND failures = $3 AND stopped_at IS NULL""",
        row["webhook_id"],
        delivered,
        failures,
        error,
        next_try_at,
        stopped_at,
    )
