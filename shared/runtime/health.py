"""The health of a process: which of its parts work, and why one does not. Served over HTTP."""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


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

    def dead(self, part: str, detail: str) -> None:
        """Report that a part has ended; only a restart of the process brings it back."""
        self._parts[part] = PartState(False, detail, dead=True)

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


@asynccontextmanager
async def serve_health(health: Health, port: int, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve HEALTH_PATHS while the context is open. Yield the port; the system chooses it if `port` is 0."""

    async def answer(request: web.Request) -> web.Response:
        found = health_response(health, request.path)
        return web.Response(status=found.status, body=found.body, headers={"Content-Type": found.content_type})

    app = web.Application()
    app.add_routes([web.get(path, answer) for path in HEALTH_PATHS])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
