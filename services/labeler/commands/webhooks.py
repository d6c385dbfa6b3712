"""The commands that add, resume and remove webhooks."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from services.labeler.commands.outcomes import Refused
from services.labeler.queries.webhooks import view_of
from shared.clients.webhooks import NewWebhook, WebhookView
from shared.tables.database import Database
from shared.web.webhooks import refuse_webhook, secret_of

KEY_BYTES = 32
MOST_WEBHOOKS = 50


async def add_webhook(
    database: Database, url: str, types: Sequence[str], by: str, now: datetime, allowed: Collection[str]
) -> NewWebhook:
    """Have events of these types sent to an address from now on. Raises Refused (address_forbidden, too_many)."""
    if (why := refuse_webhook(url, allowed)) is not None:
        raise Refused("address_forbidden", why)
    secret = secret_of(secrets.token_bytes(KEY_BYTES))
    row = await database.fetchrow(
        f"""INSERT INTO webhooks (webhook_id, url, types, secret, made_by, made_at, delivered)
            SELECT $1, $2, $3, $4, $5, $6, (SELECT coalesce(max(number), 0) FROM event_numbers)
            WHERE (SELECT count(*) FROM webhooks) < {MOST_WEBHOOKS} RETURNING *""",  # noqa: S608 - a number
        uuid4(),
        url,
        list(types),
        secret,
        by,
        now,
    )
    if row is None:
        raise Refused("too_many", f"There are {MOST_WEBHOOKS} webhooks already. Remove one first.")
    return NewWebhook(**dict(view_of(row)), secret=secret)


async def resume_webhook(database: Database, webhook_id: UUID) -> WebhookView:
    """Let a webhook go on with the event that did not arrive. Raises Refused (webhook_unknown)."""
    row = await database.fetchrow(
        "UPDATE webhooks SET stopped_at = NULL, failures = 0, next_try_at = NULL WHERE webhook_id = $1 RETURNING *",
        webhook_id,
    )
    if row is None:
        raise webhook_unknown(webhook_id)
    return view_of(row)


async def remove_webhook(database: Database, webhook_id: UUID) -> WebhookView:
    """Send no more events there; return what it was. Raises Refused (webhook_unknown)."""
    row = await database.fetchrow("DELETE FROM webhooks WHERE webhook_id = $1 RETURNING *", webhook_id)
    if row is None:
        raise webhook_unknown(webhook_id)
    return view_of(row)


def webhook_unknown(webhook_id: UUID) -> Refused:
    """Return the refusal for an id that no webhook has."""
    return Refused("webhook_unknown", f"There is no webhook {webhook_id}. GET /webhooks lists them.")
