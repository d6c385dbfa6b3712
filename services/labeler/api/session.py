"""The route that logs a user in."""

import asyncio
import time
from datetime import timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr

from services.labeler.accounts.sessions import Unauthorised, issue_token
from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService
from services.labeler.fields import Name
from shared.clients.answers import Session

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
    address = request.client.host if request.client else ""
    principal = await service.logins.log_in(credentials.name, password, address)
    if principal is None:  # always at the same time after the request, for known and unknown names
        await asyncio.sleep(started + settings.login_failure_seconds - time.monotonic())
        raise Unauthorised("The name or the password is wrong. Check both and try again.")
    token, expires_at = issue_token(
        principal.name,
        settings.session_secret.get_secret_value(),
        service.command_bus.clock(),
        timedelta(hours=settings.session_hours),
    )
    return Session(token=token, name=principal.name, role=principal.role, expires_at=expires_at)
