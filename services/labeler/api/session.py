"""The route that logs a user in."""

import asyncio
from datetime import timedelta

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr

from services.labeler.accounts.sessions import Unauthorised, issue_token
from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService
from services.labeler.fields import Line
from shared.clients.answers import Session

router = APIRouter(tags=["session"])


class Credentials(BaseModel):
    """The name and password of a login."""

    name: Line
    password: SecretStr


@router.post("/login", responses=error_responses(400, 422))
async def log_in(credentials: Credentials, service: CurrentService) -> Session:
    """Start a session with a name and a password."""
    password = credentials.password.get_secret_value().encode("utf-8", "replace")[:1024].decode("utf-8", "replace")
    principal = await service.users.log_in(credentials.name, password)
    if principal is None:
        await asyncio.sleep(service.settings.login_failure_seconds)
        raise Unauthorised("The name or the password is wrong. Check both and try again.")
    settings = service.settings
    token, expires_at = issue_token(
        principal,
        settings.session_secret.get_secret_value(),
        service.command_bus.clock(),
        timedelta(hours=settings.session_hours),
    )
    return Session(token=token, name=principal.name, role=principal.role, expires_at=expires_at)
