"""How long the body of a request may be."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem

FORM_BYTES = 65_536
"""How much a form may add to its file: boundaries, headers and other fields."""


def too_large(limit_bytes: int) -> Problem:
    """Return the problem of a file with more than `limit_bytes`."""
    return Problem(413, "too_large", f"A file may have at most {limit_bytes:,} bytes. Choose a smaller file.")


class BodyLimitMiddleware:
    """Refuses a body above the limit with 413 when a route reads it: before the first byte if Content-Length says so,
    else as soon as it is too long. A form may be longer than its file by FORM_BYTES."""

    def __init__(self, app: ASGIApp, upload_limit_bytes: int) -> None:
        self._app = app
        self._upload_limit_bytes = upload_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = dict(scope["headers"]).get(b"content-length", b"")
            receive = self._limited(receive, int(length) if length.isdigit() else 0)
        await self._app(scope, receive, send)

    def _limited(self, receive: Receive, announced_bytes: int) -> Receive:
        received_bytes = 0

        async def limited() -> Message:
            nonlocal received_bytes
            self._check(announced_bytes)
            message = await receive()
            received_bytes += len(message.get("body", b""))
            self._check(received_bytes)
            return message

        return limited

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._upload_limit_bytes + FORM_BYTES:
            raise too_large(self._upload_limit_bytes)
