"""What a person reads when a download fails."""

import asyncio
from collections.abc import Awaitable, Callable

from services.ingestor.settings import IngestorSettings
from shared.web.download.downloader import Downloader
from shared.web.rejection import Rejection

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def rejection_of(port: int, seconds: float = 30.0) -> Rejection:
    settings = IngestorSettings(allowed_hosts=("127.0.0.1",), fetch_tries=1, fetch_total_seconds=seconds)
    async with Downloader.open(settings) as downloads:
        found = await downloads.fetch(f"http://127.0.0.1:{port}/a.jpg")
    assert isinstance(found, Rejection)
    return found


async def rejected_by(answer: Answer, seconds: float) -> Rejection:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        return await rejection_of(server.sockets[0].getsockname()[1], seconds)


async def test_a_server_that_is_away_is_named_without_the_inner_workings() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    rejection = await rejection_of(port)
    assert (rejection.reason, rejection.retryable) == ("unreachable", True)
    assert f"Cannot connect to host 127.0.0.1:{port}" in rejection.detail
    assert "ConnectionKey" not in rejection.detail


async def test_a_server_that_keeps_silent_is_reported_with_the_time_it_had() -> None:
    over = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    rejection = await rejected_by(silent, seconds=0.3)
    over.set()
    assert (rejection.reason, rejection.retryable) == ("timeout", True)
    assert "no complete answer within 0.3 s" in rejection.detail
