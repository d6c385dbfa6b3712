"""The health of a process: which of its parts work, and why one does not. Served over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.runtime.hosts import answers_as
from shared.runtime.metrics import PART_HEALTHY


@dataclass(frozen=True, slots=True)
class PartState:
    """The state of one part. `dead`: it has ended and does not come back in this process."""

    ok: bool
    detail: str = ""
    dead: bool = False


class Health:
    """The parts of a process and their states.

    `needed` names the parts that readiness depends on; None means all of them. A predictor, for example, stays ready
    with its loaded model while its Kafka part is red.
    """

    def __init__(self, needed: Collection[str] | None = None) -> None:
        self._needed = None if needed is None else frozenset(needed)
        self._parts: dict[str, PartState] = {}

    def set(self, part: str, ok: bool, detail: str = "") -> None:
        """Report the state of a part. `detail` is a sentence for people, or empty."""
        self._parts[part] = PartState(ok, detail)
        PART_HEALTHY.labels(part).set(ok)

    def dead(self, part: str, detail: str) -> None:
        """Report that a part has ended; only a restart of the process brings it back."""
        self._parts[part] = PartState(False, detail, dead=True)
        PART_HEALTHY.labels(part).set(0)

    def state(self, part: str) -> PartState | None:
        """Return the last reported state of a part; None before the first."""
        return self._parts.get(part)

    @property
    def live(self) -> bool:
        """Whether no part is dead, so that a restart would change nothing."""
        return not any(part.dead for part in self._parts.values())

    @property
    def ok(self) -> bool:
        """Whether every known part works."""
        return all(part.ok for part in self._parts.values())

    @property
    def ready(self) -> bool:
        """Whether the process takes requests: a state was reported, and every needed part works."""
        if self._needed is None:
            return bool(self._parts) and self.ok
        return all((part := self._parts.get(name)) is not None and part.ok for name in self._needed)

    def report(self) -> dict[str, Any]:
        """Return the whole state as JSON-ready values."""
        parts = {name: {"ok": part.ok, "detail": part.detail} for name, part in sorted(self._parts.items())}
        return {"live": self.live, "ready": self.ready, "ok": self.ok, "parts": parts}


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """One HTTP answer, for any web framework."""

    status: int
    body: bytes
    content_type: str


HEALTH_PATHS = ("/livez", "/readyz", "/health", "/metrics")


def health_response(health: Health, path: str) -> HealthAnswer:
    """Return the answer on one of HEALTH_PATHS: 200 if it is good, else 503. /metrics is Prometheus text.

    Raises:
        KeyError: for any other path.
    """
    if path == "/metrics":
        return HealthAnswer(200, generate_latest(), CONTENT_TYPE_LATEST)
    good = {"/livez": health.live, "/readyz": health.ready, "/health": health.ok}[path]
    return HealthAnswer(200 if good else 503, json.dumps(health.report()).encode(), "application/json")


HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
"""For browsers: an answer is text, and shown in no frame."""
CONNECTION_SECONDS = 10.0
"""How long a connection to a health port may last: one request, answered at once."""
TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nContent-Length: 41\r\nConnection: close\r\n\r\n"
    b"The request did not come whole; try again"
)


class _BriefServer(web.Server):
    """Closes each connection after CONNECTION_SECONDS, so that requests without end cannot use up the process's files.
    aiohttp has a deadline for the next request of a connection only."""

    def __call__(self) -> RequestHandler:
        connection = super().__call__()
        asyncio.get_running_loop().call_later(CONNECTION_SECONDS, _give_up, connection)
        return connection


def _give_up(connection: RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.write(TOO_SLOW)
    connection.force_close()


@asynccontextmanager
async def serve_health(health: Health, port: int, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve HEALTH_PATHS while the context is open. Yield the port; the system chooses it if `port` is 0.

    No setting adds names it answers as: what scrapes it from elsewhere asks by address, as monitoring does."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if not all(answers_as(asked) for asked in request.headers.getall("Host", [])):
            text = "A health port answers as an address, a name without a dot, or one inside a cluster. Ask so."
            return web.Response(status=421, text=text, headers=HEADERS)
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={**HEADERS, "Allow": "GET, HEAD"})
        if request.path not in HEALTH_PATHS:
            return web.Response(
                status=404, text=f"There is nothing here. Ask for {', '.join(HEALTH_PATHS)}.", headers=HEADERS
            )
        found = health_response(health, request.path)
        headers = {**HEADERS, "Content-Type": found.content_type}
        response = web.Response(status=found.status, body=found.body, headers=headers)
        response.force_close()
        return response

    runner = web.ServerRunner(_BriefServer(answer, access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
