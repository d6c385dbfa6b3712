"""What surrounds every request: a trace, and a limit to what it may bring."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.labeler.api.problems import problem
from shared.runtime.telemetry import continued

FORM_BYTES = 65_536
"""What a form may have around its file."""


def too_long(limit_bytes: int) -> str:
    """What a person reads whose file is too large."""
    return f"At most {limit_bytes:,} bytes are taken. Choose a smaller file."


class TraceMiddleware:
    """Every request is a span, child of the caller's `traceparent`, so that the events it publishes belong to it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parent = dict(scope["headers"]).get(b"traceparent")
        with continued(parent.decode("latin-1") if parent else None, f"{scope['method']} {scope['path']}"):
            await self._app(scope, receive, send)


class BodyLimitMiddleware:
    """A body above the limit is 413: at once if it says its length, else as soon as it is too long. A form may be
    longer than its file by FORM_BYTES."""

    def __init__(self, app: ASGIApp, upload_limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = upload_limit_bytes + FORM_BYTES
        self._detail = too_long(upload_limit_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._limit_bytes:
            await problem(413, "too_large", self._detail)(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit_bytes:
                raise HTTPException(413, self._detail)
            return message

        return counted
