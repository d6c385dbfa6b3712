"""Readiness by a real request, the first one that a client would send. No probe raises."""

import asyncio
import ssl
import struct
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 2.0
METADATA = 3
API_VERSIONS = 18
CORRELATION = 17
SSL_REQUEST = 80877103
UNANSWERED = (OSError, TimeoutError, asyncio.IncompleteReadError)


async def http_ok(
    url: str, timeout_seconds: float = TIMEOUT_SECONDS, trusted: ssl.SSLContext | None = None, login: str = ""
) -> bool:
    """Return whether a GET of `url` (with a port) answers 200. `trusted`: what checks the certificate of https;
    `login`: name:password, if it asks for them.

    Implemented on raw sockets, because it runs ten times a second for every component that starts: an HTTP client costs
    ten times as much.
    """
    split = urlsplit(url)
    path = f"{split.path or '/'}?{split.query}".rstrip("?")
    basic = f"Authorization: Basic {b64encode(login.encode()).decode()}\r\n" if login else ""
    request = f"GET {path} HTTP/1.0\r\nHost: {split.netloc}\r\n{basic}\r\n"
    try:
        async with _connection(str(split.hostname), int(split.port or 80), timeout_seconds, trusted) as (
            reader,
            writer,
        ):
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


async def kafka_listens(host: str, port: int, trusted: ssl.SSLContext) -> bool:
    """Return whether a broker that asks for a login answers the one question that comes before it: which requests it
    knows (ApiVersions, version 0)."""
    client = b"pappus-probe"
    body = struct.pack(f">hhih{len(client)}s", API_VERSIONS, 0, CORRELATION, len(client), client)
    try:
        async with _connection(host, port, trusted=trusted) as (reader, writer):
            writer.write(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            answer = await reader.readexactly(size)
    except UNANSWERED:
        return False
    correlation, error = struct.unpack_from(">ih", answer)
    return bool(correlation == CORRELATION and error == 0)


async def postgres_encrypts(host: str, port: int) -> bool:
    """Return whether PostgreSQL agrees to encrypt the connection."""
    try:
        async with _connection(host, port) as (reader, writer):
            writer.write(struct.pack(">ii", 8, SSL_REQUEST))
            return await reader.readexactly(1) == b"S"
    except UNANSWERED:
        return False


@asynccontextmanager
async def _connection(
    host: str, port: int, timeout_seconds: float = TIMEOUT_SECONDS, trusted: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(timeout_seconds):
        reader, writer = await asyncio.open_connection(host, port, ssl=trusted)
        try:
            yield reader, writer
        finally:
            writer.close()
