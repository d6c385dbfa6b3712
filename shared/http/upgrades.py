"""Requests that offer to change the protocol of their connection are answered as what they are otherwise.

A server may ignore such an offer (RFC 9110, 7.8), and clients count on that: Java's HttpClient and `curl --http2` offer
HTTP/2 with each request. httptools stops at the end of such a head, and what follows would be lost, or read as the next
request.
"""

from typing import Protocol

import httptools


class Reader(Protocol):
    """What a parser tells of."""

    def on_body(self, body: bytes) -> None:
        """Take bytes of a body."""
        ...

    def on_message_complete(self) -> None:
        """End a request."""
        ...


class OrdinaryParser:
    """A parser of requests that goes on after an offer to upgrade. `protocol` has httptools' callbacks too."""

    def __init__(self, protocol: Reader) -> None:
        self._protocol = protocol
        self._left = 0
        self._deaf = False
        self._begin()

    def should_upgrade(self) -> bool:
        """Return False: no connection changes its protocol."""
        return False

    def awaits_body(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Return whether the request that httptools takes for ended has a body, which follows. One in chunks is not
        read: nothing more of the connection is."""
        if not self._parser.should_upgrade():
            return False
        given = dict(headers)
        self._deaf = b"transfer-encoding" in given
        self._left = 0 if self._deaf else int(given.get(b"content-length", b"0"))
        return self._left > 0

    @property
    def is_deaf(self) -> bool:
        """Whether nothing more of the connection is read: it closes after the answer."""
        return self._deaf

    def feed_data(self, data: bytes) -> None:
        """Parse bytes. Raises httptools.HttpParserError."""
        while data and not self._deaf:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                self._protocol.on_body(piece)
                if not self._left:
                    self._protocol.on_message_complete()
                continue
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._begin()
            else:
                return

    def _begin(self) -> None:
        """Go on with a new parser: one that has met an offer reads no further."""
        self._parser = httptools.HttpRequestParser(self._protocol)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does, for its pipelines
        self.get_method = self._parser.get_method
        self.get_http_version = self._parser.get_http_version
        self.should_keep_alive = self._parser.should_keep_alive
