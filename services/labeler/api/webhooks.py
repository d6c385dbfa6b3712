"""Routes about webhooks: operators have events sent to other programs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from services.labeler.api.accounts import NO_STORE
from services.labeler.api.audited import audited
from services.labeler.api.events import refuse_unknown_types
from services.labeler.api.models import FOR_OPERATORS
from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService, Operator
from services.labeler.commands import webhooks
from services.labeler.fields import Line, Text
from services.labeler.queries.webhooks import all_webhooks
from shared.clients.webhooks import NewWebhook, WebhookView
from shared.http.bodies import JsonBody
from shared.web.webhooks import host_of

router = APIRouter(prefix="/webhooks", tags=["events"])
WebhookId = Annotated[UUID, Path(description="From `GET /webhooks`")]


class WebhookBody(BaseModel):
    """Where events are sent, and which: of these types, none for all."""

    url: Text
    types: list[Line] = Field([], max_length=50)


@router.get(
    "",
    summary="List the webhooks",
    description=f"List where events are sent. {FOR_OPERATORS}",
    responses=error_responses(403),
)
async def list_webhooks(service: CurrentService, _user: Operator) -> list[WebhookView]:
    """See the description."""
    return await all_webhooks(service.database)


@router.post(
    "",
    status_code=201,
    summary="Add a webhook",
    description="Have events sent to an address from now on, each at least once and in their order, signed as Standard"
    f" Webhooks says. The secret is shown this once. {FOR_OPERATORS}",
    responses=error_responses(403, 422),
)
async def add_webhook(
    service: CurrentService, user: Operator, response: Response, body: JsonBody[WebhookBody]
) -> NewWebhook:
    """See the description."""
    refuse_unknown_types(body.types)
    response.headers.update(NO_STORE)
    now, allowed = service.command_bus.clock(), service.settings.webhook_hosts
    added = webhooks.add_webhook(service.database, body.url, body.types, user.name, now, allowed)
    return await audited("add_webhook", host_of(body.url), user, added)


@router.post(
    "/{webhook_id}/resume",
    summary="Let a webhook go on",
    description=f"Send the event again that did not arrive, and those behind it. {FOR_OPERATORS}",
    responses=error_responses(403, 404, 422),
)
async def resume_webhook(service: CurrentService, user: Operator, webhook_id: WebhookId) -> WebhookView:
    """See the description."""
    work = webhooks.resume_webhook(service.database, webhook_id)
    return await audited("resume_webhook", str(webhook_id), user, work)


@router.delete(
    "/{webhook_id}",
    summary="Remove a webhook",
    description=f"Send no more events there. {FOR_OPERATORS}",
    responses=error_responses(403, 404, 422),
)
async def remove_webhook(service: CurrentService, user: Operator, webhook_id: WebhookId) -> WebhookView:
    """See the description."""
    work = webhooks.remove_webhook(service.database, webhook_id)
    return await audited("remove_webhook", str(webhook_id), user, work)
