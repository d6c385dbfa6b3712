"""The login in the browser's cookie, so that it survives a reload, another tab and a restart of the pages.

Python that draws a page cannot set a cookie that scripts cannot read; an answer over HTTP can. So a login makes a
ticket, the page sends it to `/session`, once, and gets the cookie. Every process of the pages reads any cookie: it
holds the session itself, and only the labeler's API decides whether its token is good.
"""

import base64
import secrets
import threading
import time
from hashlib import sha256

from shared.clients.answers import Session

SERVED = threading.Event()
"""Set where a server of the pages runs; without one, as in tests of single pages, there are no cookies and no tabs."""
COOKIE = "pappus_session"
PATH = "/session"
TICKET_SECONDS = 60.0
_LOCK = threading.Lock()
_tickets: dict[str, tuple[Session, float]] = {}
_ended: dict[str, float] = {}
"""Hashes of tokens that were logged out here, and until when they would have lasted (seconds since 1970)."""


def encode(session: Session) -> str:
    """Return the session as the value of a cookie."""
    return base64.urlsafe_b64encode(session.model_dump_json().encode()).decode().rstrip("=")


def parse(value: str | None) -> Session | None:
    """Return the session in a cookie, even if it is over; None if it holds none."""
    if not value:
        return None
    try:
        return Session.model_validate_json(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except ValueError:  # binascii's and pydantic's errors are such
        return None


def decode(value: str | None) -> Session | None:
    """Return the session in a cookie; None if it holds none, has expired or was logged out."""
    session = parse(value)
    over = session is None or session.expires_at.timestamp() <= time.time() or token_hash(session) in _ended
    return None if over else session


def issue_ticket(session: Session) -> str:
    """Return a ticket that `redeem` exchanges for the session, once, within a minute."""
    ticket = secrets.token_urlsafe(32)
    with _LOCK:
        now = time.monotonic()
        for old in [known for known, (_, until) in _tickets.items() if until < now]:
            del _tickets[old]
        _tickets[ticket] = (session, now + TICKET_SECONDS)
    return ticket


def redeem(ticket: str) -> Session | None:
    """Return the session of a ticket, which is used up; None for an unknown or old one."""
    with _LOCK:
        session, until = _tickets.pop(ticket, (None, 0.0))
    return session if time.monotonic() < until else None


def pending(ticket: str) -> bool:
    """Whether the browser has still to send this ticket."""
    return ticket in _tickets


def end(session: Session) -> None:
    """Refuse the cookie of this session from now on, even before the browser has dropped it."""
    with _LOCK:
        now = time.time()
        for old in [known for known, until in _ended.items() if until < now]:
            del _ended[old]
        _ended[token_hash(session)] = session.expires_at.timestamp()


def token_hash(session: Session) -> str:
    """Return what names the session without giving its token away."""
    return sha256(session.token.encode()).hexdigest()
