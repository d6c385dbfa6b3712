"""The route that logs a user in."""

import asyncio
import time
from datetime import timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr

from services.labeler.accounts.sessions import Unauthorised, issue_token
from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService, address_of
from services.labeler.fields import Name
from shared.clients.answers import Session
from shared.runtime.audit import audit

router = APIRouter(tags=["session"])


class Credentials(BaseModel):
    """The name and password of a login."""

    name: Name
    password: SecretStr


@router.post("/login", responses=error_responses(400, 422, 429))
async def log_in(credentials: Credentials, service: CurrentService, request: Request) -> Session:
    """Start a session with a name and a password."""
    settings, started = service.settings, time.monotonic()
    password = credentials.password.get_secret_value().encode("utf-8", "replace")[:1024].decode("utf-8", "replace")
    address = address_of(request)
    principal = await service.logins.log_in(credentials.name, password, address)
    if principal is None:
        # A name of no user may be a password in the wrong field: it is not written down.
        known = await service.users.find(credentials.name) is not None
        outcome = "wrong_password" if known else "unknown_name"
        audit("log_in", who=credentials.name if known else None, address=address, outcome=outcome)
        # Always at the same time after the request, for known and unknown names.
        await asyncio.sleep(started + settings.login_failure_seconds - time.monotonic())
        raise Unauthorised("The name or the password is wrong. Check both and try again.")
    audit("log_in", who=principal.name, address=address, outcome="let_in")
    token, expires_at = issue_token(
        principal.name,
        settings.session_secret.get_secret_value(),
        service.command_bus.clock(),
        timedelta(hours=settings.session_hours),
    )
    return Session(token=token, name=principal.name, role=principal.role, expires_at=expires_at)
