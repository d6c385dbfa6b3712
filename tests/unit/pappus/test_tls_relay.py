"""The encrypted door of PostgreSQL: bytes pass both ways, and without encryption none do."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pappus.stack.certificates import Authority
from pappus.stack.ports import free_ports
from pappus.stack.probes import postgres_encrypts
from pappus.stack.tls_relay import GSS_REQUEST, SSL_REQUEST, serve
from shared.runtime.certificates import trust
from shared.testing import eventually

ASKS = struct.pack("!ii", 8, SSL_REQUEST)
STARTUP = struct.pack("!ii", 16, 196608) + b"user\0me\0"


class Behind:
    """What stands in for PostgreSQL: it echoes; `received` is what reached it."""

    def __init__(self) -> None:
        self.received = b""
        self.open = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while data := await reader.read(65536):
                self.received += data
                writer.write(data)
                await writer.drain()
        finally:
            self.open -= 1
            writer.close()


class Door:
    """A running door, its port, and what is behind it."""

    def __init__(self, port: int, authority: Authority, behind: Behind) -> None:
        self.port = port
        self.behind = behind
        self._trusted = trust(authority.certificate, "X")

    async def plain(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def encrypted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.plain()
        writer.write(ASKS)
        assert await reader.readexactly(1) == b"S"
        await writer.start_tls(self._trusted, server_hostname="127.0.0.1")
        return reader, writer


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    authority, behind = Authority(tmp_path / "certificates"), Behind()
    pair = authority.server("postgres")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    port = free_ports(["door"])["door"]
    with TemporaryDirectory() as folder:  # a socket's path may not be long
        socket = Path(folder) / "socket"
        async with await asyncio.start_unix_server(behind.talk, socket):
            serving = asyncio.create_task(serve("127.0.0.1", port, socket, context))
            await eventually(lambda: postgres_encrypts("127.0.0.1", port))
            yield Door(port, authority, behind)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def test_bytes_pass_both_ways(door: Door) -> None:
    reader, writer = await door.encrypted()
    data = bytes(range(256)) * 8192  # 2 MiB
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    writer.close()
    await eventually(lambda: door.behind.open == 0)
    assert door.behind.received == data


async def test_a_client_that_does_not_encrypt_is_told_how(door: Door) -> None:
    reader, writer = await door.plain()
    writer.write(STARTUP)
    said = await reader.read()
    assert said[:1] == b"E"
    assert b"C28000\0" in said
    assert b"PAPPUS_DATABASE_CA_FILE" in said
    assert door.behind.received == b""
    writer.close()


async def test_bytes_slipped_in_behind_the_request_are_not_passed_on(door: Door) -> None:
    reader, writer = await door.plain()
    writer.write(ASKS + STARTUP)
    assert (await reader.read())[:1] == b"E"
    assert door.behind.received == b""
    writer.close()


async def test_a_client_that_asks_for_kerberos_first_goes_on_with_tls(door: Door) -> None:
    reader, writer = await door.plain()
    writer.write(struct.pack("!ii", 8, GSS_REQUEST))
    assert await reader.readexactly(1) == b"N"
    writer.write(ASKS)
    assert await reader.readexactly(1) == b"S"
    writer.close()


async def test_a_client_that_trusts_another_authority_does_not_stop_the_door(door: Door, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.prepare()
    reader, writer = await door.plain()
    writer.write(ASKS)
    await reader.readexactly(1)
    with pytest.raises(ssl.SSLCertVerificationError):
        await writer.start_tls(trust(other.certificate, "X"), server_hostname="127.0.0.1")
    writer.close()
    reader, writer = await door.encrypted()
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    writer.close()
