"""What a browser may do with an API: under which names it asks, from which pages, and where answers are shown."""

from collections.abc import Collection

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem, problem_response
from shared.runtime.hosts import answers_as, is_foreign

READING = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load, and from where (Content Security Policy, level 3)."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with that a browser sends `Origin: null` with the forms of our own pages.
    "Referrer-Policy": "same-origin",
}


class BrowserMiddleware:
    """Refuses requests under a host name that is not ours (421), and commands from pages of other origins (403). Adds
    HEADERS to each answer that has not its own.

    A page of another origin could else send forms in the name of its visitor, or read answers under a name of its own
    that leads here (see shared.runtime.hosts). Clients that are no browsers send no Origin and are not concerned.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        problem = self._problem(Request(scope))
        answer = self._app if problem is None else problem_response(problem)
        await answer(scope, receive, send_with_headers)

    def _problem(self, request: Request) -> Problem | None:
        asked = request.headers.getlist("host")
        if not all(answers_as(host, self._hosts) for host in asked):
            detail = f"This server does not answer as {', '.join(asked)!r}. Add the name to PAPPUS_HTTP_HOSTS."
            return Problem(421, "unknown_host", detail)
        origins, site = request.headers.getlist("origin"), request.headers.get("sec-fetch-site")
        if request.method not in READING and is_foreign(origins, site, asked):
            detail = "A page of another site sent this request. Send it from this server's own pages, or by a program."
            return Problem(403, "foreign_origin", detail)
        return None
