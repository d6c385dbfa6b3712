"""Session tokens: a user's name and when the session began, signed (JSON Web Tokens, RFC 7519, HMAC SHA-256)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt

from shared.contract.roles import Role, may_act_as
from shared.runtime.errors import PappusError

ALGORITHM = "HS256"
AUDIENCE = "pappus"


class Unauthorised(PappusError):
    """The session token is missing, forged, malformed, expired or ended."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user who is logged in, and the address that the request came from."""

    name: str
    role: Role
    address: str = ""

    def may_act_as(self, role: Role) -> bool:
        """Return whether the user has the rights of `role`."""
        return may_act_as(self.role, role)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says. Whether the user exists, and in which role, is up to the table of users."""

    name: str
    began_at: datetime


def issue_token(name: str, secret: str, now: datetime, lasts: timedelta) -> tuple[str, datetime]:
    """Return a signed token and its expiry time. `secret` must have at least 32 bytes (RFC 7518, section 3.2)."""
    expires_at = (now + lasts).replace(microsecond=0)
    claims = {"sub": name, "aud": AUDIENCE, "iat": now.timestamp(), "exp": int(expires_at.timestamp())}
    return jwt.encode(claims, secret, algorithm=ALGORITHM), expires_at


def verify_token(token: str, secret: str, now: datetime) -> Token:
    """Return what the token says.

    Raises:
        Unauthorised: it was not signed with `secret`, has expired, or lacks a claim.
    """
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["sub", "iat", "exp"], "verify_exp": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        raise Unauthorised(f"The session token is not valid ({error}). Log in again.") from error
    name, began, ends = claims["sub"], claims["iat"], claims["exp"]
    if not (isinstance(name, str) and isinstance(began, int | float) and isinstance(ends, int)):
        raise Unauthorised("The session token names no user or no time. Log in again.")
    if datetime.fromtimestamp(ends, UTC) <= now:
        raise Unauthorised("The session has ended. Log in again.")
    return Token(name, datetime.fromtimestamp(began, UTC))
