"""A trace for every request."""

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.runtime.health import HEALTH_PATHS
from shared.runtime.telemetry import continued


class TraceMiddleware:
    """Handles each request in a span that is a child of the caller's `traceparent`, so that the events it publishes
    belong to the caller's trace. Probes of health and metrics have no span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        parent = dict(scope["headers"]).get(b"traceparent")
        with continued(parent.decode("latin-1") if parent else None, f"{scope['method']} {scope['path']}"):
            await self._app(scope, receive, send)
