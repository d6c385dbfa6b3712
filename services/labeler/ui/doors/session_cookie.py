"""The answer that gives a browser the cookie of a session."""

import time

from starlette.requests import Request
from starlette.responses import Response

from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session


def give_session(response: Response, session: Session, request: Request) -> None:
    """Let the browser keep the session as long as it lasts, where no script can read it."""
    seconds = max(0, int(session.expires_at.timestamp() - time.time()))
    secure = request.url.scheme == "https"
    response.set_cookie(
        cookie.COOKIE, cookie.encode(session), max_age=seconds, httponly=True, samesite="strict", secure=secure
    )
