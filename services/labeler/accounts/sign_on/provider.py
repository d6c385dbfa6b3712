"""The provider over HTTP: what it says of itself (OpenID Connect Discovery 1.0), its keys, and codes made into tokens.

Only hosts that the settings name are asked, no redirect is followed, and an answer has a size and a time.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx2
from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.client import DEFAULT_HEADERS  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]
from authlib.oidc.discovery import get_well_known_url  # type: ignore[import-untyped]

from services.labeler.accounts.sign_on.errors import Declined, ProviderAtFault, ProviderUnavailable
from services.labeler.provider_settings import ProviderSettings, is_safe_address
from shared.runtime.certificates import trust

ANSWER_BYTES = 1_048_576
ANSWER_SECONDS = 8.0
KEPT_SECONDS = 3600.0
"""How long the document and the keys count before they are asked for again."""
AGAIN_SECONDS = 30.0
"""How soon keys are asked for again because of one that is not among them."""
FAILED_SECONDS = 2.0
"""How long a failure is the answer to all who ask."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
Document = Mapping[str, Any]


@dataclass(slots=True)
class _Kept:
    """What was fetched, when, and until when the last failure counts."""

    document: Document | None = None
    since: float = 0.0
    failure: Exception | None = None
    failed_at: float = 0.0


class Provider:
    """Asks the provider. `transport` replaces the network, `now` the clock (seconds), both for tests."""

    def __init__(
        self,
        settings: ProviderSettings,
        transport: httpx2.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._now = now
        self._metadata, self._keys = _Kept(), _Kept()
        self._asking = asyncio.Lock()
        self._tls = trust(settings.ca_file, "PAPPUS_OIDC_CA_FILE")  # at the start: a wrong file is told there

    async def metadata(self) -> Document:
        """Return what the provider says of itself, at most an hour old, or older while it does not answer.

        Raises:
            ProviderUnavailable: it does not answer.
            ProviderAtFault: the document is not that of the issuer in the settings, or names other hosts.
        """
        return await self._fetched(self._metadata, self._fetch_metadata, KEPT_SECONDS)

    async def keys(self, *, renewed: bool = False) -> Document:
        """Return the provider's keys (JWKS, RFC 7517). `renewed`: of this moment, but for AGAIN_SECONDS. Raises as
        `metadata` does."""
        return await self._fetched(self._keys, self._fetch_keys, AGAIN_SECONDS if renewed else KEPT_SECONDS)

    async def exchange(self, code: str, code_verifier: str) -> Document:
        """Return the tokens of a code (RFC 6749, section 4.1.3).

        Raises:
            Declined: the code is not valid, or not any more.
            ProviderUnavailable, ProviderAtFault: as for `metadata`.
        """
        settings, metadata = self.settings, await self.metadata()
        offered = metadata.get("token_endpoint_auth_methods_supported") or ()
        method = "client_secret_post" if "client_secret_post" in offered else "client_secret_basic"
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=settings.redirect_url, code_verifier=code_verifier
        )
        login = settings.client_id, settings.client_secret
        if method == "client_secret_basic":  # RFC 6749, section 2.3.1, which authlib leaves to its caller
            login = quote_plus(login[0]), quote_plus(login[1])
        auth = ClientAuth(*login, method)
        url, headers, body = auth.prepare("POST", metadata["token_endpoint"], dict(DEFAULT_HEADERS), body)
        status, answer = await self._ask("POST", url, headers=headers, content=body)
        if status == 200:
            return answer
        raise _refused(settings, answer.get("error"), status)

    async def _fetch_metadata(self) -> Document:
        issuer = self.settings.issuer
        status, document = await self._ask("GET", get_well_known_url(issuer, external=True))
        if status != 200:
            raise ProviderUnavailable(
                f"{self.settings.name} answered {status} where its description should be. Try again in a moment; if it"
                " stays, PAPPUS_OIDC_ISSUER may be wrong."
            )
        if document.get("issuer") != issuer:
            raise ProviderAtFault(
                f"PAPPUS_OIDC_ISSUER is {issuer}, and the provider there calls itself {document.get('issuer')!r}. Both"
                " must be the same, to the last character: correct the setting."
            )
        for name in ENDPOINTS:
            self._check_endpoint(name, document.get(name))
        return document

    def _check_endpoint(self, name: str, url: object) -> None:
        if not isinstance(url, str) or not is_safe_address(url):
            raise ProviderAtFault(f"The provider names no {name} that is an https address. Correct it there.")
        host = urlsplit(url).netloc.lower()
        if host not in self.settings.hosts:
            raise ProviderAtFault(
                f"The {name} of the provider is at {host}, which is not the issuer's host. If it is right, add it to"
                " PAPPUS_OIDC_HOSTS."
            )

    async def _fetch_keys(self) -> Document:
        status, document = await self._ask("GET", (await self._known_metadata())["jwks_uri"])
        if status != 200:
            raise ProviderUnavailable(
                f"{self.settings.name} answered {status} instead of its keys. Try again in a moment."
            )
        if not isinstance(document.get("keys"), list):
            raise ProviderAtFault(f"{self.settings.name} publishes no list of keys at its jwks_uri. Correct it there.")
        return document

    async def _known_metadata(self) -> Document:
        """Return the description while `_asking` is held."""
        if self._metadata.document is None:
            self._metadata.document, self._metadata.since = await self._fetch_metadata(), self._now()
        return self._metadata.document

    async def _fetched(self, kept: _Kept, fetch: Callable[[], Any], seconds: float) -> Document:
        """Return what is kept, or fetch it if it is older than `seconds`; one request at a time."""
        async with self._asking:
            now = self._now()
            if kept.document is not None and now - kept.since < seconds:
                return kept.document
            if kept.failure is None or now - kept.failed_at >= FAILED_SECONDS:
                try:
                    kept.document, kept.since, kept.failure = await fetch(), now, None
                    return kept.document
                except (ProviderUnavailable, ProviderAtFault) as error:
                    kept.failure, kept.failed_at = error, self._now()
            if kept.document is not None and isinstance(kept.failure, ProviderUnavailable):
                return kept.document
            raise kept.failure

    async def _ask(self, method: str, url: str, **options: Any) -> tuple[int, Document]:
        """Return the status and the JSON object of an answer; an answer that is none is empty.

        Raises:
            ProviderUnavailable: no answer, or one that is too large or too slow.
        """
        name = self.settings.name
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                httpx2.AsyncClient(verify=self._tls, timeout=ANSWER_SECONDS, transport=self._transport) as http,
                http.stream(method, url, follow_redirects=False, **options) as answer,
            ):
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES:
                        raise ProviderUnavailable(
                            f"{name} answered with more than {ANSWER_BYTES:,} bytes. Tell its admin."
                        )
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            raise ProviderUnavailable(
                f"{name} does not answer ({type(error).__name__}). Try again in a moment. Who has a password here can"
                " log in with it meanwhile."
            ) from error
        if answer.status_code >= 500:
            raise ProviderUnavailable(f"{name} answered {answer.status_code}. Try again in a moment.")
        try:
            found = json.loads(bytes(body))
        except ValueError:
            found = None
        return answer.status_code, found if isinstance(found, dict) else {}


def _refused(settings: ProviderSettings, error: object, status: int) -> Exception:
    """Return why the provider gave no tokens for a code (RFC 6749, section 5.2)."""
    if error == "invalid_grant":
        return Declined(f"{settings.name} says that this login was used before, or took too long. Log in again.")
    if error in ("invalid_client", "unauthorized_client"):
        return ProviderAtFault(
            f"{settings.name} does not know this installation ({error}). Those who run it correct PAPPUS_OIDC_CLIENT_ID"
            " and the client's secret."
        )
    return ProviderAtFault(f"{settings.name} gave no tokens for this login: it answered {status}. Log in again.")
