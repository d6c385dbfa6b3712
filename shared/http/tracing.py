"""A trace for every request."""

from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.health import HEALTH_PATHS
from shared.runtime.tracing import continued, current_trace_id, inside

READS = frozenset({"GET", "HEAD", "OPTIONS"})
TRACE_ID = b"x-trace-id"
"""The header of an answer that names its trace."""


class TraceMiddleware:
    """Handles each request in a span that is a child of the caller's `traceparent`, so that the events it publishes
    belong to the caller's trace; the answer names the trace. Probes of health and metrics have no span. A read begins
    no trace that is recorded: pages that wait for something ask three times a second."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"traceparent")
        if given is None and scope["method"] in READS:
            with inside(None):
                await self._app(scope, receive, _naming_the_trace(send))
            return
        parent = given.decode("latin-1") if given else None
        with continued(parent, f"{scope['method']} {scope['path']}", SpanKind.SERVER) as span:
            answering = _naming_the_trace(send)

            async def described(message: Message) -> None:
                if message["type"] == "http.response.start":
                    path = getattr(scope.get("route"), "path", scope["path"])
                    span.update_name(f"{scope['method']} {path}")
                    span.set_attributes(
                        {
                            "http.request.method": scope["method"],
                            "http.route": path,
                            "url.path": scope["path"],
                            "http.response.status_code": message["status"],
                        }
                    )
                await answering(message)

            await self._app(scope, receive, described if span.is_recording() else answering)


def _naming_the_trace(send: Send) -> Send:
    trace_id = (current_trace_id() or "").encode()

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (TRACE_ID, trace_id)]
        await send(message)

    return named
