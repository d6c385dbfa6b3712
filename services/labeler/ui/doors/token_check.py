"""Whether the labeler knows a session."""

import time

import httpx2

from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session

CHECKED_SECONDS = 60.0
"""How long the labeler's word that a token is good counts."""


class TokenCheck:
    """Asks the labeler whether a token is good, at most once a minute for each."""

    def __init__(self, labeler_url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._labeler_url = labeler_url
        self._transport = transport
        self._good_until: dict[str, float] = {}

    async def __call__(self, session: Session) -> int:
        """Return 200 for a good token, 401 for another, 503 if the labeler does not answer."""
        key, now = cookie.token_hash(session), time.monotonic()
        if self._good_until.get(key, 0.0) > now:
            return 200
        headers = {"Authorization": f"Bearer {session.token}"}
        try:
            async with httpx2.AsyncClient(timeout=5.0, transport=self._transport) as http:
                status = (await http.get(f"{self._labeler_url}/labels", headers=headers)).status_code
        except (httpx2.HTTPError, ValueError):
            return 503
        if status != 200:
            return 401 if status in (401, 403) else 503
        self._good_until = {known: until for known, until in self._good_until.items() if until > now}
        self._good_until[key] = now + CHECKED_SECONDS
        return 200
