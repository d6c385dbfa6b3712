"""Readiness by a real request, the first one that a client would send. No probe raises."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 2.0
METADATA = 3
CORRELATION = 17
UNANSWERED = (OSError, TimeoutError, asyncio.IncompleteReadError)


async def http_ok(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> bool:
    """Return whether a GET of `url` (http, with a port) answers 200.

    Implemented on raw sockets, because it runs ten times a second for every component that starts: an HTTP client costs
    ten times as much.
    """
    split = urlsplit(url)
    path = f"{split.path or '/'}?{split.query}".rstrip("?")
    request = f"GET {path} HTTP/1.0\r\nHost: {split.netloc}\r\n\r\n"
    try:
        async with _connection(str(split.hostname), int(split.port or 80), timeout_seconds) as (reader, writer):
            writer.write(request.encode())
            words = (await reader.readline()).split()
    except UNANSWERED:
        return False
    return len(words) > 1 and words[1] == b"200"


async def kafka_answers(host: str, port: int) -> bool:
    """Return whether a metadata request (version 1, no topics) names at least one broker.

    An open port is not enough: the broker listens before it is registered. The bytes are those of
    https://kafka.apache.org/protocol#The_Messages_Metadata, so that waiting needs no client.
    """
    client = b"pappus-probe"
    body = struct.pack(f">hhih{len(client)}si", METADATA, 1, CORRELATION, len(client), client, 0)
    try:
        async with _connection(host, port) as (reader, writer):
            writer.write(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            answer = await reader.readexactly(size)
    except UNANSWERED:
        return False
    correlation, brokers = struct.unpack_from(">ii", answer)
    return bool(correlation == CORRELATION and brokers > 0)


@asynccontextmanager
async def _connection(
    host: str, port: int, timeout_seconds: float = TIMEOUT_SECONDS
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(timeout_seconds):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            yield reader, writer
        finally:
            writer.close()
