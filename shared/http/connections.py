"""Connections that cannot be held without sending: the head of a request has a deadline and a limit."""

import asyncio
import re
import resource
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.http.limits import ARRIVED
from shared.http.upgrades import OrdinaryParser

HEAD_SECONDS = 10.0
"""How long a head may take from its first byte, on a new connection from the start."""
HEAD_BYTES = 65_536
OTHER_FILES = 256
"""Of the files a process may have open, those that are not connections of clients."""
TRANSFER_ENCODING, HOST = b"transfer-encoding", b"host"
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[\w.~%!$&'()*+,;=-]*)(:\d*)?")
"""A name or an address, and a port (RFC 3986, 3.2.2)."""
LINGER_SECONDS = 10.0
"""How long the rest of a body is read and dropped after its request was answered, so that the client sees the answer
before the connection closes."""


def most_connections() -> int:
    """Return how many connections the process may hold: with more it could open no file."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(limit - OTHER_FILES, limit // 2)


def _bare_answer(status: str, text: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n"
    return f"{head}Connection: close\r\n\r\n{text}".encode("ascii")


HEAD_TOO_SLOW = _bare_answer(
    "408 Request Timeout", f"The head of the request was not complete after {HEAD_SECONDS:g} s. Send it again, whole."
)
HEAD_TOO_LARGE = _bare_answer(
    "431 Request Header Fields Too Large", f"The head of a request may have at most {HEAD_BYTES:,} bytes. Shorten it."
)


class JoinedWrites:
    """A transport that sends the head of an answer together with what follows in the same turn of the loop. uvicorn
    writes the two one after the other, and uvloop hands each to the system at once: two calls, and a client that is
    woken twice."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send, or hold the head of an answer until the loop's next turn."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines((held, data))
        elif data.startswith(b"HTTP/"):
            self._held = data
            self._loop.call_soon(self._send_held)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Send what is held, and close."""
        self._send_held()
        self._transport.close()

    def _send_held(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for heads, which it lacks, and for what follows an answer.

    The deadline of a body that a route reads is `shared.http.limits`; the time between two requests is uvicorn's
    keep-alive timeout.
    """

    _in_head = True
    _head_bytes = 0
    """What came since the last head or piece of a body: of the next head, or of what frames a body in chunks."""
    _waits_since = 0.0
    """Loop time since when the head of a request is awaited."""
    _deadline: asyncio.TimerHandle | None = None
    _hosts = 0
    """How many of the head's lines name a host."""
    _why = ""
    """A sentence: why the head is refused, where it is not the parser that refuses it."""
    _refusal: bytes | None = None
    """The answer to what cannot be read, after those to earlier requests. Nothing more of the connection is read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first head its deadline, even if no byte of it comes."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self.parser = OrdinaryParser(self)  # type: ignore[assignment]
        self._waits_since = self.loop.time()
        self._start(HEAD_SECONDS, self._give_up_head)
        if len(self.connections) > most_connections():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; refuse a head that is too long, and chunks that are all frame: their parser would keep it."""
        if self._refusal is not None:
            return
        self._head_bytes += len(data)
        if self._in_head:
            self._start(HEAD_SECONDS, self._give_up_head)
        super().data_received(data)
        if self._head_bytes > HEAD_BYTES and self._refusal is None and not self.transport.is_closing():
            self._refuse(HEAD_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Refuse what httptools, or this class, cannot read."""
        self._refuse(_bare_answer("400 Bad Request", f"{self._why or msg} Send it as RFC 9112 describes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but no trailer: what is said behind a body must not count as said before it, where a proxy
        or a check looked (RFC 9110, 6.5.1). Raises ValueError, which ends in 400, for a coding other than chunks: no
        other is read here, and where such a body ends is not the same for all who read it (RFC 9112, 6.1); and for a
        host that is none, or a second one: a proxy may have read the other (RFC 9112, 3.2)."""
        if not self._in_head:
            return
        kind = name.lower()
        if kind == TRANSFER_ENCODING and value.strip().lower() != b"chunked":
            self._fail("A Transfer-Encoding other than chunked is not read here.")
        if kind == HOST:
            self._hosts += 1
            if self._hosts > 1:
                self._fail("The request has more than one Host header.")
            if _HOST.fullmatch(value.strip()) is None:
                self._fail("The Host header of the request is neither a name nor an address.")
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """Begin a head; it may follow another request in the same bytes."""
        super().on_message_begin()
        self._hosts = 0
        self._head_bytes = max(self._head_bytes, 1)
        self._start(HEAD_SECONDS, self._give_up_head)

    def on_headers_complete(self) -> None:
        """End the head: what follows is the body. Raises ValueError, which ends in 400, if it names no host; before
        HTTP/1.1 it need not."""
        if not self._hosts and self.parser.get_http_version() != "1.0":
            self._fail("The request has no Host header.")
        super().on_headers_complete()  # raises if the head names no URL: then it is still a head
        self._in_head, self._head_bytes = False, 0
        self._stop()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Await the next head; a request that was answered before its end leaves an idle connection."""
        parser: OrdinaryParser = self.parser  # type: ignore[assignment]
        if parser.awaits_body(self.headers):
            return
        if parser.is_deaf:
            self.cycle.keep_alive = False
        super().on_message_complete()
        self.scope[ARRIVED] = time.monotonic()  # type: ignore[literal-required]
        self._in_head, self._head_bytes, self._waits_since = True, 0, self.loop.time()
        self._stop()
        if self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Close soon if the body of the request is still on its way: no route reads it any more. Refuse what cannot be
        read when all before it is answered."""
        if self._refusal is not None and not self.pipeline:
            self.server_state.total_requests += 1
            if not self.transport.is_closing():
                self._close_with(self._refusal)
            return
        super().on_response_complete()
        if not self._in_head and self.cycle.response_complete:
            self._start(LINGER_SECONDS, self.transport.close)

    def _make_room(self) -> None:
        """Close the connection that has waited longest for a head; this one if all others are at work."""
        others = [
            each
            for each in self.connections
            if isinstance(each, DeadlineProtocol) and each.is_waiting and not each.transport.is_closing()
        ]
        min(others, key=lambda each: each._waits_since, default=self)._close_with(b"")

    @property
    def is_waiting(self) -> bool:
        """Whether the connection awaits a head and owes no answer."""
        return self._in_head and (self.cycle is None or self.cycle.response_complete)

    def _fail(self, why: str) -> None:
        self._why = why
        raise ValueError(why)

    def _start(self, seconds: float, expire: Any) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, expire)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up_head(self) -> None:
        if not self.is_waiting:
            self.cycle.keep_alive = False  # an earlier request of this connection still gets its answer
        elif not self.transport.is_closing():
            self._close_with(HEAD_TOO_SLOW if self._head_bytes else b"")

    def _refuse(self, answer: bytes) -> None:
        """End the connection with the answer to what cannot be read. Earlier requests are answered first, so that no
        client takes it for the answer to another one; and a request that has an answer already gets no second one."""
        self._stop()
        if self._in_head:
            if self.is_waiting:
                self._close_with(answer)
            else:
                self._refusal = answer
        elif self.cycle.response_started:
            self._close_with(b"")
        elif self.pipeline:  # its turn has not come
            self.pipeline.popleft()
            self._refusal = answer
        else:
            self._close_with(answer)

    def _close_with(self, answer: bytes) -> None:
        self._stop()
        self.transport.write(answer)
        self.transport.close()
