"""Addresses that events are sent to: what the labeler's API answers about them, and how they are made and changed."""

from collections.abc import Collection
from uuid import UUID

from pydantic import AwareDatetime, TypeAdapter

from shared.clients.answers import Body
from shared.clients.request import ApiRequest


class WebhookView(Body):
    """An address that events of these types are sent to (none: all). `delivered`: the number of the last event that
    arrived. `failures`: in a row since then; the next try comes at `next_try_at`. After too many it is stopped, since
    `stopped_at`, until a person lets it go on. `last_error` says what the last failure was."""

    webhook_id: UUID
    url: str
    types: list[str]
    made_by: str
    made_at: AwareDatetime
    delivered: int
    failures: int = 0
    next_try_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None
    last_error: str = ""
    last_delivered_at: AwareDatetime | None = None

    @property
    def outcome(self) -> str:
        return "done"


class NewWebhook(WebhookView):
    """A webhook with the secret that its messages are signed with, which is shown this once."""

    secret: str


_WEBHOOKS = TypeAdapter(list[WebhookView])


def list_webhooks() -> ApiRequest[list[WebhookView]]:
    """Get all webhooks, the oldest first."""
    return ApiRequest("GET", "/webhooks", _WEBHOOKS.validate_json)


def add_webhook(url: str, types: Collection[str] = ()) -> ApiRequest[NewWebhook]:
    """Have events of these types (none: all) sent to an address, from now on."""
    return ApiRequest("POST", "/webhooks", NewWebhook.model_validate_json, json={"url": url, "types": list(types)})


def resume_webhook(webhook_id: UUID) -> ApiRequest[WebhookView]:
    """Let a webhook that was stopped go on, with the event that did not arrive."""
    return ApiRequest("POST", f"/webhooks/{webhook_id}/resume", WebhookView.model_validate_json)


def remove_webhook(webhook_id: UUID) -> ApiRequest[WebhookView]:
    """Send no more events to this address."""
    return ApiRequest("DELETE", f"/webhooks/{webhook_id}", WebhookView.model_validate_json)
