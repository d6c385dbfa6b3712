"""A login under way: sealed for the browser that began it (JSON Web Encryption, RFC 7516), and finished once.

Every replica opens what another one sealed, and logins that are begun and left fill no table.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey

from services.labeler.accounts.sign_on.errors import NotBegun
from shared.tables.database import Database

LASTS = timedelta(minutes=10)
HEADER = {"alg": "dir", "enc": "A256GCM"}
REGISTRY = JWERegistry(algorithms=list(HEADER.values()))
LONGEST = 4096
AGAIN = "Log in again."


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """What the answer has to fit. `state` binds it to the browser (RFC 6749, section 10.12), `nonce` the ID token, and
    `code_verifier` (RFC 7636) the code to this login."""

    state: str
    nonce: str
    code_verifier: str
    until: datetime


def begin(now: datetime) -> BegunLogin:
    """Return a login with values that have at least 256 bits each, and cannot be guessed."""
    state, nonce, code_verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return BegunLogin(state, nonce, code_verifier, now + LASTS)


class Seal:
    """Seals begun logins with a key of its own, made from the secret of the sessions."""

    def __init__(self, session_secret: str) -> None:
        self._key = OctKey.import_key(hmac.digest(session_secret.encode(), b"a login with a provider", sha256))

    def close(self, begun: BegunLogin) -> str:
        """Return the login as a text that only an API with the same secret can read."""
        claims = {
            "state": begun.state,
            "nonce": begun.nonce,
            "verifier": begun.code_verifier,
            "exp": int(begun.until.timestamp()),
        }
        return jwt.encode(HEADER, claims, self._key, registry=REGISTRY)

    def open(self, sealed: str, now: datetime) -> BegunLogin:
        """Return the login. Raises NotBegun: there is none, it was changed, or it began too long ago."""
        if not sealed:
            raise NotBegun(
                f"This browser has not begun this login, or has finished it. {AGAIN} If that happens each time, allow"
                " cookies for this site."
            )
        try:
            claims = jwt.decode(sealed[:LONGEST], self._key, registry=REGISTRY).claims
            texts = (str(claims["state"]), str(claims["nonce"]), str(claims["verifier"]))
            until = datetime.fromtimestamp(int(claims["exp"]), now.tzinfo)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise NotBegun(
                f"What this browser kept of the login was changed, or is of another installation. {AGAIN}"
            ) from error
        if until <= now:
            minutes = int(LASTS.total_seconds() / 60)
            raise NotBegun(f"The login took longer than {minutes} minutes, and no longer counts. {AGAIN}")
        return BegunLogin(*texts, until)


async def finish_once(database: Database, begun: BegunLogin, now: datetime) -> None:
    """Remember that an answer to this login came. Raises NotBegun if one came before, to any replica."""
    login_id = sha256(begun.state.encode()).hexdigest()
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM finished_logins WHERE until < $1", now)
        new = await connection.fetchval(
            "INSERT INTO finished_logins (login_id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING login_id",
            login_id,
            begun.until,
        )
    if new is None:
        raise NotBegun(f"This answer of the provider was used before, and counts once. {AGAIN}")
