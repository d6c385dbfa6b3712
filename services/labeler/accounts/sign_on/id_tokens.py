"""What an ID token says, once it is proved to be the provider's, for us, for this login and of now (OpenID Connect Core
1.0, section 3.1.3.7)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry

from services.labeler.accounts.sign_on.errors import ProviderAtFault
from services.labeler.accounts.sign_on.provider import Document, Provider

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures with a key pair. Never `none`, nor HS256, whose key would be one that is not the provider's alone."""
LEEWAY_SECONDS = 60
MOST_KEYS = 100
IN_TIME = ("iat", "exp", "nbf")
MEANS = {
    "iss": "it is of another issuer",
    "aud": "it is for another client",
    "azp": "it is for another client",
    "nonce": "it belongs to another login",
    "at_hash": "it belongs to another access token",
}


class IdTokens:
    """Checks the ID tokens of one provider."""

    def __init__(self, provider: Provider) -> None:
        self._settings = provider.settings
        self._provider = provider

    async def check(self, tokens: Document, nonce: str, now: datetime) -> Mapping[str, object]:
        """Return the claims of the ID token among these tokens.

        Raises:
            ProviderAtFault: there is none, or it cannot be believed; the text says why.
            ProviderUnavailable: the keys cannot be had.
        """
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str) or not id_token.isascii():
            raise self._fault("it is missing: the client needs the scope openid")
        token = await self._signed(id_token)
        known = {"essential": True, "values": [self._settings.issuer]}
        ours = {"essential": True, "values": [self._settings.client_id]}
        params = {"nonce": nonce, "client_id": self._settings.client_id, "access_token": tokens.get("access_token")}
        claims = CodeIDToken(token.claims, token.header, {"iss": known, "aud": ours}, params)
        try:
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
        except ClaimError as error:
            raise self._refused(error, token.claims, now) from error
        except (TypeError, ValueError) as error:
            raise self._fault("its claims cannot be read") from error
        return dict(claims)

    async def _signed(self, id_token: str) -> jwt.Token:
        """Return the token if its signature is the provider's; the keys are asked for again if its key is a new one."""
        offered = (await self._provider.metadata()).get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=[each for each in ALGORITHMS if each in offered], strict_check_header=False)
        try:
            try:
                return jwt.decode(id_token, _key_set(await self._provider.keys()), registry=registry)
            except InvalidKeyIdError:
                renewed = await self._provider.keys(renewed=True)
                return jwt.decode(id_token, _key_set(renewed), registry=registry)
        except InvalidKeyIdError as error:
            raise self._fault("it is signed with a key that the provider does not publish") from error
        except BadSignatureError as error:
            raise self._fault("its signature is wrong, so it was changed or comes from someone else") from error
        except (JoseError, ValueError) as error:
            raise self._fault(f"it cannot be read, or is signed in a way that is not allowed ({error})") from error

    def _refused(self, error: ClaimError, claims: Mapping[str, Any], now: datetime) -> ProviderAtFault:
        late = isinstance(error, ExpiredTokenError)
        if late or (error.claim in IN_TIME and error.claim in claims):
            moment = claims.get("exp" if late else error.claim)
            return self._fault(
                f"by the clock here, {now:%H:%M:%S} UTC, it {'ended' if late else 'begins'} at {_clock(moment)}: one of"
                " the two clocks is wrong, so set both by NTP"
            )
        return self._fault(MEANS.get(error.claim, f"its claim {error.claim} is missing or wrong"))

    def _fault(self, why: str) -> ProviderAtFault:
        name = self._settings.name
        return ProviderAtFault(
            f"The ID token of {name} does not count: {why}. Log in again; if it stays, tell an admin."
        )


def _key_set(document: Document) -> KeySet:
    """Return the keys that can be read and may sign, of the first MOST_KEYS."""
    keys: list[Key] = []
    for each in document["keys"][:MOST_KEYS]:
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue  # of a kind that comes after this release
        if key.get("use") in (None, "sig") and key.key_type != "oct":
            keys.append(key)
    return KeySet(keys)


def _clock(moment: object) -> str:
    try:
        return f"{datetime.fromtimestamp(float(str(moment)), UTC):%H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return repr(moment)
