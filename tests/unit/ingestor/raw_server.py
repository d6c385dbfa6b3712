"""A server that answers with any bytes at all, and keeps what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.ingestor.settings import IngestorSettings
from shared.web.download.downloader import Downloader
from shared.web.rejection import Rejection
from tests.unit.ingestor.names import Names

PICTURE = b"\xff\xd8 picture"


def answer(head: str = "200 OK", *fields: str, body: bytes = PICTURE) -> bytes:
    """Return the bytes of an answer with this status and these header fields."""
    lines = (f"HTTP/1.1 {head}", *fields, f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join(lines).encode("latin-1", "surrogateescape") + b"\r\n\r\n" + body


def redirect(location: str, *fields: str) -> bytes:
    """Return the bytes of a redirect."""
    return answer("302 Found", f"Location: {location}", *fields, body=b"")


class RawServer:
    """Answers each path, without its query, with its bytes; `heads` are the request heads so far, as text."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self.answers = dict(answers)
        self.heads: list[str] = []
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def running(cls, answers: Mapping[str, bytes]) -> AsyncIterator["RawServer"]:
        """Serve on a free port of every address of this machine that is a loopback one."""
        raw = cls(answers)
        server = await asyncio.start_server(raw._serve, "127.0.0.1", 0)
        async with server:
            raw.port = server.sockets[0].getsockname()[1]
            yield raw

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            path = head.split(" ")[1].partition("?")[0]
            writer.write(self.answers.get(path, answer("404 Not Found")))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def targets(self) -> list[str]:
        """The targets of the requests: what stood in the request line."""
        return [head.split(" ")[1] for head in self.heads]

    def fields(self, name: str) -> list[str | None]:
        """The values of one header field in each request, None where it was missing."""
        found = []
        for head in self.heads:
            lines = [line for line in head.split("\r\n") if line.lower().startswith(f"{name.lower()}: ")]
            found.append(lines[0].partition(": ")[2] if lines else None)
        return found

    async def fetched(self, *urls: str) -> list[bytes | Rejection]:
        """Download these URLs one after the other, with {port} filled in. Every name is this machine and allowed."""
        hosts = ("127.0.0.1", "one.example", "two.example")
        settings = IngestorSettings(allowed_hosts=hosts, fetch_tries=1, fetch_total_seconds=20)
        async with Downloader.open(settings, Names(["127.0.0.1"])) as downloads:
            return [await downloads.fetch(url.replace("{port}", str(self.port))) for url in urls]
