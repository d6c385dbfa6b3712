"""How long the body of a request may be, how slowly it may come, and how many bytes all bodies together may take."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem

FORM_BYTES = 65_536
"""How much a form may add to its file: boundaries, headers and other fields. Also the limit of a body that is no
form, where a path has no limit of its own."""
BASE64_LINE = 57, 78
"""So many bytes make a line of base64 (RFC 2045), and so many bytes is that with its end as JSON writes it."""
BODY_SECONDS = 10.0
BODY_BYTES_PER_SECOND = 100_000
"""A body has BODY_SECONDS, and 1 s more for each BODY_BYTES_PER_SECOND that came (like Apache's mod_reqtimeout)."""
BODIES_BYTES = 256_000_000
"""What the bodies of all requests of a process may take in memory."""
ARRIVED = "pappus.body_arrived"
"""In the scope of a request whose whole body has arrived: when it had (`time.monotonic`). To read it takes no time, and
needs no deadline."""
STALLED_SECONDS = 2.0
"""After this long without a byte a body is given up if another one needs its room."""


def too_large(limit_bytes: int) -> Problem:
    """Return the problem of a file with more than `limit_bytes`."""
    return Problem(413, "too_large", f"A file may have at most {limit_bytes:,} bytes. Choose a smaller file.")


def bytes_as_base64(size_bytes: int) -> int:
    """Return how long a JSON body with a file of this size may be, where the file is base64 in lines or without."""
    raw, encoded = BASE64_LINE
    return -(-size_bytes // raw) * encoded + FORM_BYTES


def too_slow() -> Problem:
    """Return the problem of a body that does not come. The rest of it is not awaited."""
    detail = (
        f"The body of the request did not come in time: it has {BODY_SECONDS:g} s, and 1 s more for each"
        f" {BODY_BYTES_PER_SECOND:,} bytes. Send it again, over a faster connection or with a smaller file."
    )
    return Problem(408, "body_timeout", detail, headers={"Connection": "close"})


@dataclass(slots=True, eq=False)
class _Body:
    """A body that is read: when it began and when its newest bytes came (loop time), and how many there are."""

    began: float | None = None
    newest: float = 0.0
    size_bytes: int = 0
    complete: bool = False
    waiting: asyncio.Timeout | None = None
    given_up: bool = False


@dataclass(slots=True)
class BodyBudget:
    """The room that all bodies share, until their requests are answered. A body that stalls makes room for others."""

    limit_bytes: int = BODIES_BYTES
    _bodies: set[_Body] = field(default_factory=set)

    @contextmanager
    def body(self) -> Iterator[_Body]:
        """Yield a body; its room is free again at the end."""
        body = _Body()
        self._bodies.add(body)
        try:
            yield body
        finally:
            self._bodies.discard(body)

    def add(self, body: _Body, size_bytes: int, now: float) -> None:
        """Count bytes that came. Raises Problem (503) if there is no room for them."""
        body.size_bytes += size_bytes
        body.newest = now
        while sum(each.size_bytes for each in self._bodies if not each.given_up) > self.limit_bytes:
            stalled = [each for each in self._bodies if each.waiting and now - each.newest > STALLED_SECONDS]
            if not stalled:
                detail = "Too many bytes are being uploaded at once. Send the request again in a moment."
                raise Problem(503, "overloaded", detail, retry_after_seconds=1)
            _give_up(min(stalled, key=lambda each: each.newest))

    async def receive(self, receive: Receive, body: _Body) -> Message:
        """Return the next message about a body, and count its bytes. Raises Problem: 408 if it comes too slowly, 503 if
        there is no room for it."""
        message = await _in_time(receive, body)
        self._take(body, message)
        return message

    def _take(self, body: _Body, message: Message) -> None:
        self.add(body, len(message.get("body", b"")), asyncio.get_running_loop().time())
        body.complete = not message.get("more_body", False)

    async def read(self, receive: Receive, body: _Body, *, arrived: bool = False) -> bytes | None:
        """Return a whole body; None if the client left before. `arrived`: it is there already. Raises Problem as
        `receive`."""
        chunks: list[bytes] = []
        while not body.complete:
            message = await (receive() if arrived else _in_time(receive, body))
            self._take(body, message)
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _give_up(body: _Body) -> None:
    assert body.waiting is not None
    body.waiting.reschedule(asyncio.get_running_loop().time())
    body.waiting, body.given_up = None, True


class BodyLimitMiddleware:
    """Refuses a body that is too long (413), comes too slowly (408) or finds no room (503), when a route reads it.

    Too long: above the limit, before the first byte if Content-Length says so, else as soon as it is. A form may be
    longer than its file by FORM_BYTES; a body that is no form has FORM_BYTES, or what `limits` says of the beginning of
    its path. `forms` says how long all files of a form may be together, by its whole path.
    """

    def __init__(
        self,
        app: ASGIApp,
        upload_limit_bytes: int,
        budget: BodyBudget | None = None,
        limits: Mapping[str, int] | None = None,
        forms: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._forms = dict(forms or {})
        self._upload_limit_bytes = upload_limit_bytes
        self._budget = budget or BodyBudget()
        self._limits = dict(limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._budget.body() as body:
            await self._app(scope, self._limited(receive, scope, body), send)

    def _limited(self, receive: Receive, scope: Scope, body: _Body) -> Receive:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        is_form = headers.get(b"content-type", b"").lower().startswith(b"multipart/")
        length = headers.get(b"content-length", b"")
        own = (limit for start, limit in self._limits.items() if scope["path"].startswith(start))
        form_bytes = self._forms.get(scope["path"], self._upload_limit_bytes)
        limit_bytes = None if is_form else next(own, FORM_BYTES)

        async def limited() -> Message:
            if body.complete:
                return await receive()  # waits for the client to go
            self._check(int(length) if length.isdigit() else 0, limit_bytes, form_bytes)
            message = await self._budget.receive(receive, body)
            self._check(body.size_bytes, limit_bytes, form_bytes)
            return message

        return limited

    def _check(self, size_bytes: int, limit_bytes: int | None, form_bytes: int) -> None:
        """Raise Problem (413) if a body is longer than that; None: it is a form, whose files have `form_bytes`."""
        if limit_bytes is None:
            if size_bytes > form_bytes + FORM_BYTES:
                raise too_large(form_bytes)
        elif size_bytes > limit_bytes:
            detail = f"A body that is no form may have at most {limit_bytes:,} bytes. Send a smaller one."
            raise Problem(413, "too_large", detail)


async def _in_time(receive: Receive, body: _Body) -> Message:
    """Return the next message. Raises Problem (408) at the deadline of the body, or when it is given up."""
    now = asyncio.get_running_loop().time()
    if body.began is None:
        body.began = body.newest = now
    try:
        async with asyncio.timeout_at(body.began + BODY_SECONDS + body.size_bytes / BODY_BYTES_PER_SECOND) as waiting:
            body.waiting = waiting
            return await receive()
    except TimeoutError as error:
        raise too_slow() from error
    finally:
        body.waiting = None
