"""Who may do what in MLflow: the recorder everything, the reader what changes nothing, strangers nothing."""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from shared.runtime.audit import audit
from shared.runtime.hosts import answers_as

OPEN = frozenset({"/health"})
"""For the one who watches the process; it says no more than OK."""
READING = frozenset({"GET", "HEAD"})
SEARCHES = re.compile(
    r"/(ajax-)?api/(2\.0/mlflow/(experiments|runs|logged-models)/search"
    r"|2\.0/mlflow/experiments/search-datasets|2\.0/mlflow/registered-models/get-latest-versions"
    r"|3\.0/mlflow/(datasets|issues|traces)/search|3\.0/mlflow/traces/(batchGetInfos|metrics))|/graphql"
)
"""What MLflow's pages ask by POST and changes nothing. MLflow's GraphQL has queries only (and an echo)."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """An ASGI application that lets requests with a login through to another one.

    `passwords` are those of all who may log in, by name; `writer` is the one who may change something.
    `hosts`: public names under which it is asked.
    """

    def __init__(self, app: App, passwords: Mapping[str, str], writer: str, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._logins = {name: f"{name}:{password}".encode() for name, password in passwords.items()}
        self._writer = writer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":  # MLflow has no sockets
            await send({"type": "websocket.close", "code": 1008})
        elif (refusal := self._refusal(scope)) is None:
            await self._app(scope, receive, send)
        else:
            await _answer(send, *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Return status, error code and text of a refusal; None if the request may pass."""
        path, method = scope["path"], scope["method"]
        asked = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if not all(answers_as(host, self._hosts) for host in asked):
            return 421, "BAD_REQUEST", f"MLflow does not answer as {', '.join(asked)!r}. Add it to PAPPUS_HTTP_HOSTS."
        if path in OPEN and method in READING:
            return None
        who = self._name(dict(scope["headers"]).get(b"authorization", b""))
        reads = method in READING or (method == "POST" and SEARCHES.fullmatch(path) is not None)
        if who == self._writer or (who is not None and reads):
            return None
        if not reads:
            address = scope["client"][0] if scope.get("client") else None
            audit("write", who=who, on=path, address=address, outcome="forbidden" if who else "unauthorised")
        if who is None:
            return 401, "UNAUTHENTICATED", "Log in: people as the reader, the recorder with PAPPUS_MLFLOW_PASSWORD."
        return 403, "PERMISSION_DENIED", f"{who} may look, and change nothing. Only the recorder writes."

    def _name(self, header: bytes) -> str | None:
        """Return who logs in with this Authorization header (RFC 7617); None for a stranger. All logins are compared,
        each in constant time."""
        scheme, _, encoded = header.partition(b" ")
        try:
            presented = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == b"basic" else b""
        except binascii.Error:
            presented = b""
        found = None
        for name, login in self._logins.items():
            if hmac.compare_digest(login, presented):
                found = name
        return found


async def _answer(send: Send, status: int, code: str, text: str) -> None:
    """Answer as MLflow answers its own errors, so that its client shows the text."""
    body = json.dumps({"error_code": code, "message": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="MLflow of Pappus", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
