"""The HTTP server on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import FastAPI, Request

from shared.http.server import PortTaken, listening, serve_http
from shared.testing import eventually


async def test_the_server_finishes_requests_in_flight_then_closes() -> None:
    entered, finish, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        closed.set()

    app = FastAPI(lifespan=lifespan)

    @app.get("/slow")
    async def slow() -> str:
        entered.set()
        await finish.wait()
        return "done"

    with listening("127.0.0.1", 0, shared=False) as first, listening("127.0.0.1", 0, shared=True) as second:
        for bound in (first, second):
            bound.listen()  # so that a connection waits for the server's start
        urls = [f"http://127.0.0.1:{bound.getsockname()[1]}" for bound in (first, second)]
        server = asyncio.create_task(serve_http(app, [first, second]))
        async with httpx2.AsyncClient() as client:
            held = asyncio.create_task(client.get(f"{urls[0]}/slow"))
            await entered.wait()
            assert (await client.get(f"{urls[1]}/nothing")).status_code == 404
            server.cancel()
            await eventually(lambda: first.fileno() == -1)
            assert not closed.is_set()
            finish.set()
            assert (await held).json() == "done"
            await asyncio.gather(server, return_exceptions=True)
    assert server.cancelled()
    assert closed.is_set()


def test_a_port_that_is_taken_is_named() -> None:
    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"), listening("127.0.0.1", port, shared=False):
            pass


def test_a_shared_port_may_be_bound_twice() -> None:
    with listening("127.0.0.1", 0, shared=True) as first:
        port = first.getsockname()[1]
        with listening("127.0.0.1", port, shared=True) as second:
            assert second.getsockname()[1] == port


def test_an_address_of_ipv6_may_be_bound() -> None:
    with listening("::1", 0, shared=False) as bound:
        assert bound.getsockname()[0] == "::1"


@pytest.mark.parametrize(("proxies", "address"), [((), "127.0.0.1"), (("127.0.0.1",), "9.9.9.9"), (("*",), "9.9.9.9")])
async def test_where_a_request_comes_from_is_believed_of_proxies_only(proxies: tuple[str, ...], address: str) -> None:
    app = FastAPI()

    @app.get("/address")
    async def address_of(request: Request) -> str:
        return request.client.host if request.client else ""

    with listening("127.0.0.1", 0, shared=False) as bound:
        bound.listen()
        server = asyncio.create_task(serve_http(app, [bound], proxies))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/address"
        async with httpx2.AsyncClient() as client:
            answer = await client.get(url, headers={"X-Forwarded-For": "9.9.9.9"})
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
    assert answer.json() == address
