"""What cannot be read as requests, on real sockets: each request has one answer, its own, in its turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import Request

from shared.http import connections
from shared.http.api import Api

from .test_connections import GET, HEAD, all_that_comes, served

CHUNKED = HEAD.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked")
RUBBISH = b"\x16\x03\x01 no request\r\n\r\n"
BAD_CHUNK = b"zz\r\nhello\r\n"


@pytest.fixture
async def port(api: Api) -> AsyncIterator[int]:
    """An API with a route that answers when the next request is behind it, and one that reads no body."""

    @api.get("/slow")
    async def slow() -> str:
        for _ in range(20):  # turns of the loop, in which what follows is read
            await asyncio.sleep(0)
        return "done"

    @api.post("/refuse")
    async def refuse() -> str:
        return "refused"

    @api.post("/names")
    async def names(request: Request) -> list[str]:
        await request.body()
        return sorted(request.headers)

    async with served(api) as number:
        yield number


def statuses(came: bytes) -> list[bytes]:
    return [each[:3] for each in came.split(b"HTTP/1.1 ")[1:]]


SLOW = GET.replace(b"/double?number=2", b"/slow")


@pytest.mark.parametrize("unreadable", [RUBBISH, CHUNKED + BAD_CHUNK])
async def test_it_is_refused_after_the_requests_before_it_are_answered(port: int, unreadable: bytes) -> None:
    came = await all_that_comes(port, SLOW + GET + unreadable + GET)
    assert statuses(came) == [b"200", b"200", b"400"]
    assert came.index(b"done") < came.index(b"\r\n\r\n4") < came.index(b"RFC 9112")


async def test_so_is_a_head_that_is_too_long(port: int) -> None:
    came = await all_that_comes(port, SLOW, b"GET / HTTP/1.1\r\nX: ", b"y" * (16 * connections.HEAD_BYTES))
    assert statuses(came) == [b"200", b"431"]


@pytest.mark.parametrize(
    "coding", [b"gzip, chunked", b"identity\r\nTransfer-Encoding: chunked", b"xchunked\r\ntransfer-encoding: chunked"]
)
async def test_a_coding_other_than_chunks_is_refused_with_all_behind_it(port: int, coding: bytes) -> None:
    came = await all_that_comes(port, CHUNKED.replace(b"chunked", coding) + b"0\r\n\r\n" + GET)
    assert statuses(came) == [b"400"]


async def test_chunks_are_read_however_they_are_announced(port: int) -> None:
    announced = CHUNKED.replace(b"Transfer-Encoding: chunked", b"TRANSFER-ENCODING:  Chunked ")
    came = await all_that_comes(port, announced.replace(b"/length", b"/names") + b"0\r\n\r\n" + RUBBISH)
    assert statuses(came) == [b"200", b"400"]


async def test_a_request_with_an_answer_gets_no_second_one_for_its_body(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(CHUNKED.replace(b"/length", b"/refuse"))
    came = await asyncio.wait_for(reader.readuntil(b"refused"), 30)
    writer.write(BAD_CHUNK)
    came += await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert statuses(came) == [b"200"]


HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        (b"", b"no Host header"),
        (HOST * 2, b"more than one Host header"),
        (HOST + b"hOST: evil.example\r\n", b"more than one Host header"),
        *((b"Host: " + value + b"\r\n", b"neither a name nor an address") for value in (b"a:b:c", b"[::1", b"a b")),
        *(
            (b"Host: " + value + b"\r\n", b"neither a name nor an address")
            for value in (b"a/b", b"c@a", b"\xff", b"a:x")
        ),
    ],
)
async def test_a_request_without_one_host_is_400_and_nothing_follows(port: int, hosts: bytes, why: bytes) -> None:
    came = await all_that_comes(port, SLOW + GET.replace(HOST, hosts) + GET)
    assert statuses(came) == [b"200", b"400"]
    assert came.endswith(b". Send it as RFC 9112 describes.")
    assert why in came


async def test_a_request_of_http_1_0_need_not_name_a_host(port: int) -> None:
    old = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(await all_that_comes(port, old.replace(HOST, b""))) == [b"200"]
    assert statuses(await all_that_comes(port, old.replace(HOST, HOST * 2))) == [b"400"]


@pytest.mark.parametrize("host", [b"localhost:80", b"127.0.0.1:", b"[::1]:8000", b"pappus_predictor", b"LOCALHOST \t"])
async def test_a_host_is_a_name_or_an_address_with_a_port_or_without(port: int, host: bytes) -> None:
    last = GET.replace(b"Host: localhost", b"Connection: close\r\nHost: " + host)
    assert statuses(await all_that_comes(port, GET + last)) == [b"200", b"200"]


@pytest.mark.parametrize("target", [b"http://", b"http://:x/"])
async def test_a_head_that_names_no_url_is_400(port: int, target: bytes) -> None:
    assert statuses(await all_that_comes(port, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")) == [b"400"]


async def test_a_trailer_is_no_header(port: int) -> None:
    trailers = b"Origin: http://evil.example\r\nX-Api-Key: stolen\r\nConnection: keep-alive\r\n"
    head = CHUNKED.replace(b"/length", b"/names").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    came = await all_that_comes(port, head + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n")
    assert came.endswith(b'["connection","host","transfer-encoding"]')


@pytest.mark.parametrize("before", [b"0\r\nX: ", b"5;"], ids=["a trailer", "a chunk's extension"])
async def test_what_frames_chunks_has_a_limit(port: int, before: bytes) -> None:
    try:
        came = await all_that_comes(port, CHUNKED, b"3\r\nabc\r\n" + before, b"y" * (16 * connections.HEAD_BYTES))
    except ConnectionError:  # it closed while more was sent
        came = b""
    assert statuses(came) in ([b"431"], [])  # and not 408, when it had waited for more


async def test_small_chunks_without_number_are_a_body(port: int) -> None:
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    count = 900  # bytes of the body: what frames them is longer than a head may be
    chunks = (b"1;" + b"y" * 100 + b"\r\nx\r\n") * count
    assert len(chunks) > connections.HEAD_BYTES
    came = await all_that_comes(port, head, chunks, b"0\r\n\r\n")
    assert came.endswith(b"\r\n\r\n900")
