"""An OpenID provider in memory: its description, its keys, its page to log in, and tokens that it signs (RS256).

It answers requests, so it stands behind a transport of httpx2 or behind a socket. Its fields say what it does wrong.
"""

import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "pappus", "the client's secret: 100 % + more"
Claims = dict[str, Any]


def make_key(name: str) -> RSAKey:
    """Return a new key pair of this name."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@dataclass
class OidcProvider:
    """`now`: its clock, in seconds since 1970. `person`: the claims of who logs in, beside those of every ID token.
    `signs_with`: its key; `published`: the keys at its jwks_uri. `away`: it answers 503. `described` and
    `changed` replace members of its description and claims of its ID tokens. `token_of`: makes the ID token instead.
    `asked`: what was requested."""

    issuer: str
    now: Callable[[], float]
    person: Claims = field(default_factory=lambda: {"sub": "person-1", "preferred_username": "frieda"})
    signs_with: RSAKey = field(default_factory=lambda: make_key("key-1"))
    published: list[RSAKey] = field(default_factory=list)
    away: bool = False
    described: Claims = field(default_factory=dict)
    changed: Claims = field(default_factory=dict)
    token_of: Callable[[Claims], str] | None = None
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.published = self.published or [self.signs_with]

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        path = request.url.path.removeprefix(urlsplit(self.issuer).path)
        self.asked.append(f"{request.url.host}{path}")
        if self.away:
            return httpx2.Response(503, text="closed")
        match request.method, path:
            case "GET", "/.well-known/openid-configuration":
                return httpx2.Response(200, json=self._description())
            case "GET", "/keys":
                return httpx2.Response(200, json=KeySet(list(self.published)).as_dict(private=False))
            case "GET", "/authorize":
                return _page(request.url.query.decode())
            case "POST", "/authorize":
                return self._sent_back(dict(parse_qsl(request.content.decode())))
            case "POST", "/token":
                return self._tokens(request)
        return httpx2.Response(404, json={})

    def log_in(self, address: str, **changes: str) -> dict[str, str]:
        """Log `person` in at an address of the authorisation endpoint; return what the browser brings back. `changes`
        replaces parameters of the request; an `error` refuses it."""
        asked = dict(parse_qsl(urlsplit(address).query)) | changes
        return dict(parse_qsl(urlsplit(self._sent_back(asked).headers["location"]).query))

    def _description(self) -> Claims:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in places.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.described,
        }

    def _sent_back(self, asked: dict[str, str]) -> httpx2.Response:
        brought = {"state": asked["state"], "iss": self.issuer}
        if asked.get("error"):
            brought["error"] = asked["error"]
        else:
            brought["code"] = secrets.token_urlsafe(16)
            self._codes[brought["code"]] = asked
        return httpx2.Response(303, headers={"location": f"{asked['redirect_uri']}?{urlencode(brought)}"})

    def _tokens(self, request: httpx2.Request) -> httpx2.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        login = b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        given = (
            tuple(map(unquote_plus, login.split(":", 1)))
            if login
            else (form.get("client_id"), form.get("client_secret"))
        )
        if given != (CLIENT, SECRET):
            return httpx2.Response(401, json={"error": "invalid_client"})
        asked = self._codes.pop(form.get("code", ""), None)
        digest = sha256(form.get("code_verifier", "").encode()).digest()
        proved = asked is not None and asked["code_challenge"] == urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or not proved or asked["redirect_uri"] != form.get("redirect_uri"):
            return httpx2.Response(400, json={"error": "invalid_grant"})
        access_token = secrets.token_urlsafe(16)
        token = (self.token_of or self.sign)(self._claims(asked))
        return httpx2.Response(200, json={"access_token": access_token, "token_type": "Bearer", "id_token": token})

    def _claims(self, asked: dict[str, str]) -> Claims:
        now = int(self.now())
        always = {"iss": self.issuer, "aud": asked["client_id"], "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {**always, **self.person, **self.changed}
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: Claims) -> str:
        """Return the claims as a token that is signed with the provider's key."""
        return jwt.encode({"alg": "RS256", "kid": self.signs_with.kid}, claims, self.signs_with)


def change_claims(token: str, **claims: Any) -> str:
    """Return a signed token with other claims, under the signature of before."""
    head, body, signature = token.split(".")
    said = json.loads(b64decode(body + "=" * (-len(body) % 4), altchars=b"-_")) | claims
    return ".".join((head, urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("="), signature))


def _page(query: str) -> httpx2.Response:
    """Return the provider's page, with a button that logs in and one that does not."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in parse_qsl(query)
    )
    page = f"""<!doctype html><html lang="en"><title>The provider</title><h1>The provider</h1><form method="post"
        action="authorize">{hidden}<button>I am Frieda</button>
        <button name="error" value="access_denied">Cancel</button></form></html>"""
    return httpx2.Response(200, html=page)
