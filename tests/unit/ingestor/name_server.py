"""A name server on an address of this machine, which may keep silent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp.resolver import AsyncResolver

HEADER_BYTES = 12
LOCALHOST = bytes([127, 0, 0, 1])
A = b"\x00\x01"


class NameServer(asyncio.DatagramProtocol):
    """Says 127.0.0.1 for every name (no IPv6 address), after the seconds that `wait` tells; None: never."""

    def __init__(self, wait: Callable[[str], float | None]) -> None:
        self.asked: list[str] = []
        self._wait = wait
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls, wait: Callable[[str], float | None]) -> AsyncIterator[tuple["NameServer", AsyncResolver]]:
        """Answer while the context lasts; with a resolver that asks this server only."""
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(lambda: cls(wait), ("127.0.0.77", 0))
        host, port = transport.get_extra_info("sockname")
        try:
            yield server, AsyncResolver(nameservers=[f"{host}:{port}"], timeout=30, tries=1)
        finally:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Read one question (RFC 1035, 4.1)."""
        labels, place = [], HEADER_BYTES
        while length := data[place]:
            labels.append(data[place + 1 : place + 1 + length].decode())
            place += 1 + length
        name, kind = ".".join(labels).lower(), data[place + 1 : place + 3]
        self.asked.append(name)
        seconds = self._wait(name)
        if seconds is not None:
            answer = _answer(data, place + 5, kind)
            asyncio.get_running_loop().call_later(seconds, self._send, answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.sendto(answer, addr)


def _answer(query: bytes, end: int, kind: bytes) -> bytes:
    address = b"\xc0\x0c" + A + b"\x00\x01" + bytes(4) + b"\x00\x04" + LOCALHOST if kind == A else b""
    counts = b"\x00\x01" + bytes([0, 1 if address else 0]) + bytes(4)
    return query[:2] + b"\x81\x80" + counts + query[HEADER_BYTES:end] + address
