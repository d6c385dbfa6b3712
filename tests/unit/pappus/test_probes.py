"""Readiness by a real request, against servers that answer anything but well."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pappus.stack.ports import HOST, free_ports
from pappus.stack.probes import http_ok, kafka_answers


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Yield a server on its own port that gives one answer to every request, and records the requests."""
    came: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1000))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 200\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"HTTP/1.1 404 Not Found\r\n\r\n200", False),
        (b"200", False),
        (b"", False),
    ],
)
async def test_only_a_200_is_ready(answer: bytes, ready: bool) -> None:
    async with answering(answer) as (port, came):
        assert await http_ok(f"http://{HOST}:{port}/readyz?deep=1") is ready
    assert came[0].startswith(b"GET /readyz?deep=1 HTTP/1.0\r\n")


async def test_a_closed_port_is_not_ready() -> None:
    (port,) = free_ports(["it"]).values()
    assert not await http_ok(f"http://{HOST}:{port}/readyz")
    assert not await kafka_answers(HOST, port)


async def test_a_server_that_says_nothing_in_time_is_not_ready() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        writer.close()
        hung_up.set()

    async with await asyncio.start_server(silent, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert not await http_ok(f"http://{HOST}:{port}/", timeout_seconds=0.1)
        await hung_up.wait()


@pytest.mark.parametrize(("brokers", "ready"), [(0, False), (1, True)])
async def test_kafka_is_ready_when_it_names_a_broker(brokers: int, ready: bool) -> None:
    body = struct.pack(">ii", 17, brokers)
    async with answering(struct.pack(">i", len(body)) + body) as (port, _):
        assert await kafka_answers(HOST, port) is ready


async def test_half_an_answer_is_none() -> None:
    async with answering(struct.pack(">i", 100) + b"too short") as (port, _):
        assert not await kafka_answers(HOST, port)
