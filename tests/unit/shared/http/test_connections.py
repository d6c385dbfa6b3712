"""Connections on real sockets, with deadlines of a fraction of a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request

from shared.http import connections, limits
from shared.http.api import Api
from shared.http.server import listening, serve_http

HEAD = b"POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
GET = b"GET /double?number=2 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """Serve the API on a port."""
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(app, [bound]))
        yield bound.getsockname()[1]
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    async with served(api) as number:
        yield number


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all deadlines be short."""
    for module, name in (
        (connections, "HEAD_SECONDS"),
        (connections, "LINGER_SECONDS"),
        (limits, "BODY_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0.1)


async def all_that_comes(port: int, *pieces: bytes) -> bytes:
    """Send the pieces and return what the server sends until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    came = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return came


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("half", [b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half", b"\r\n", b"\r\n\r\n\r\n"])
async def test_a_half_sent_head_is_answered_408_and_closed(port: int, half: bytes) -> None:
    assert (await all_that_comes(port, half)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("short")
async def test_a_connection_that_says_nothing_is_closed_without_a_word(port: int) -> None:
    assert await all_that_comes(port) == b""


@pytest.mark.usefixtures("short")
async def test_the_head_after_an_answer_has_a_deadline_too(port: int) -> None:
    came = await all_that_comes(port, GET, b"GET / HT")
    assert came.startswith(b"HTTP/1.1 200 ")
    assert came.count(b"HTTP/1.1 408 ") == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("size", [1, 1_000])
async def test_a_half_sent_body_is_answered_408_and_closed(port: int, size: int) -> None:
    came = await all_that_comes(port, HEAD % 1_001, bytes(size))
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout" in came


@pytest.mark.usefixtures("short")
async def test_the_rest_of_a_body_that_no_route_reads_is_not_awaited(port: int) -> None:
    came = await all_that_comes(port, b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
    assert came.startswith(b"HTTP/1.1 404 ")


async def test_a_body_that_follows_its_answer_leaves_the_connection_open(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    writer.write(b"late" + GET)
    assert b"HTTP/1.1 200 " in await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 200 "), 30)
    writer.close()


async def test_a_head_without_end_is_431(port: int) -> None:
    came = await all_that_comes(port, b"GET / HTTP/1.1\r\nX: " + b"y" * (connections.HEAD_BYTES + 1))
    assert came.startswith(b"HTTP/1.1 431 ")


async def test_requests_in_one_piece_are_all_answered(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET * 3)
    for _ in range(3):
        await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 200 "), 30)
    writer.close()


@pytest.mark.usefixtures("short")
async def test_a_half_sent_head_does_not_cut_the_answer_before_it(api: Api) -> None:
    entered, finish = asyncio.Event(), asyncio.Event()

    @api.get("/slow")
    async def slow(_request: Request) -> str:
        entered.set()
        await finish.wait()
        return "done"

    async with served(api) as port:
        coming = asyncio.create_task(
            all_that_comes(port, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HT")
        )
        await entered.wait()
        await asyncio.sleep(0.2)  # longer than the deadline of the second head
        finish.set()
        assert b"done" in await coming


async def test_a_request_for_a_websocket_is_an_ordinary_request(port: int) -> None:
    head = GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_half_sent_heads_without_end_take_no_place_from_requests(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: 5)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    for _, writer in held:
        writer.write(b"GET / HTTP/1.1\r\nHost: local")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET)
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).startswith(b"HTTP/1.1 200 ")
    for old, _ in held[:16]:
        assert await asyncio.wait_for(old.read(), 30) == b""
    for _, each in (*held, (reader, writer)):
        each.close()


class Written:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, pieces: tuple[bytes, ...]) -> None:
        self.written.append(b"".join(pieces))

    def close(self) -> None:
        self.written.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.written


def joined(transport: Written) -> connections.JoinedWrites:
    return connections.JoinedWrites(transport, asyncio.get_running_loop())  # type: ignore[arg-type]


async def test_a_head_goes_out_with_the_first_bytes_of_its_body() -> None:
    transport = Written()
    writes = joined(transport)
    for piece in (b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two"):
        writes.write(piece)
    await asyncio.sleep(0)
    assert transport.written == [b"HTTP/1.1 200 OK\r\n\r\none", b"two"]


async def test_a_head_does_not_wait_for_a_body_that_comes_later() -> None:
    transport = Written()
    writes = joined(transport)
    writes.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert transport.written == []
    await asyncio.sleep(0)
    assert transport.written == [b"HTTP/1.1 200 OK\r\n\r\n"]
    writes.write(b"body")
    assert transport.written[1:] == [b"body"]


async def test_a_head_is_sent_before_the_connection_closes() -> None:
    transport = Written()
    writes = joined(transport)
    writes.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writes.close()
    await asyncio.sleep(0)
    assert transport.written == [b"HTTP/1.1 204 No Content\r\n\r\n", "closed"]
    assert writes.is_closing()


async def test_a_head_whose_client_has_gone_is_dropped() -> None:
    transport = Written()
    writes = joined(transport)
    writes.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.close()
    await asyncio.sleep(0)
    assert transport.written == ["closed"]


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n"
"""What Java's HttpClient and `curl --http2` send with every request."""


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_the_body_of_a_request_that_offers_http2_is_read(port: int, size: int) -> None:
    post = HEAD.replace(b"Host: localhost\r\n", b"Host: localhost\r\n" + OFFER) % 40 + GET.ljust(40)[:40]
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    sent = post + GET + post + last
    came = await all_that_comes(port, *(sent[at : at + size] for at in range(0, len(sent), size)))
    assert came.count(b"HTTP/1.1 200 ") == came.count(b"HTTP/1.1 ") == 4
    bodies = [answer.partition(b"\r\n\r\n")[2] for answer in came.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"40", b"4", b"40", b"4"]


async def test_chunks_behind_an_offer_are_no_request_of_their_own(port: int) -> None:
    head = HEAD.replace(b"Content-Length: %d", OFFER.strip() + b"\r\nTransfer-Encoding: chunked")
    came = await all_that_comes(port, head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(GET), GET), GET)
    assert came.count(b"HTTP/1.1 ") == 1
    assert b"connection: close\r\n" in came.lower()
