"""What browsers may do with the pages: under which names they ask, and what a page may load and be shown in."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.hosts import answers_as

HEADERS = {
    # Streamlit's page has a script and styles in it, and so have ours; it runs components from memory (blob:). What
    # counts is that nothing comes from, or goes to, another server, and that no other page holds this one in a frame,
    # where a person would label blindly.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        "object-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
POLICY_VIOLATION = 1008  # RFC 6455


class BrowserGuard:
    """Refuses names that are not ours (421), for pages and sockets, and adds HEADERS to each answer."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what asks under a name of ours."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        asked = Headers(scope=scope).getlist("host")
        if all(answers_as(host, self._hosts) for host in asked):
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            text = f"These pages do not answer as {', '.join(asked)!r}. Add the name to PAPPUS_HTTP_HOSTS."
            await PlainTextResponse(text, 421)(scope, receive, send_with_headers)
