"""A web server that does everything a web server should not do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO

from aiohttp import web
from PIL import Image

MEGABYTE = 1_000_000
PATIENT_SECONDS = 0.4


def picture(form: str = "JPEG", mode: str = "RGB", size: tuple[int, int] = (60, 40), **options: object) -> bytes:
    """Return a small picture of noise, so that no two are alike."""
    out = BytesIO()
    Image.effect_noise(size, 60).convert("RGB").convert(mode).save(out, form, **options)
    return out.getvalue()


def rotated() -> bytes:
    """60 x 40 pixels that a person sees as 40 x 60."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(exif=exif)


def animated() -> bytes:
    """Return a GIF of three frames."""
    frames = [Image.effect_noise((8, 8), 60) for _ in range(3)]
    out = BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=20)
    return out.getvalue()


def bomb() -> bytes:
    """81 million pixels in a few kilobytes."""
    out = BytesIO()
    Image.new("1", (9000, 9000)).save(out, "PNG")
    return out.getvalue()


def bodies() -> dict[str, bytes]:
    """Return pages that are just bytes; new ones for each server."""
    twice = picture()
    return {
        "good.jpg": picture(),
        "first.jpg": twice,
        "second.jpg": twice,
        "html.jpg": b"<!doctype html><title>Not found</title>",
        "truncated.jpg": picture(size=(300, 200))[:-300],
        "empty.jpg": b"",
        "bomb.png": bomb(),
        "cmyk.jpg": picture(mode="CMYK"),
        "rotated.jpg": rotated(),
        "animated.gif": animated(),
        "picture.tiff": picture("TIFF"),
        "rose.jpg": picture(),
    }


class HostileServer:
    """Serves on 127.0.0.1; counts the requests for each path."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.logins: list[str | None] = []
        self.port = 0
        self.bodies = bodies()
        self._pages: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            **{name: self._body(body) for name, body in self.bodies.items()},
            "flaky.png": self._flaky,
            "stream.jpg": self._stream,
            "declared.jpg": self._declared,
            "slow.jpg": self._slow,
            "broken.jpg": self._broken,
            "gzipped.jpg": self._gzipped,
            "to": self._to,
            "hop": self._hop,
            "patient": self._patient,
            "many": self._many,
            "nowhere": self._status(302),
            "long": self._long,
            **{str(code): self._status(code) for code in (204, 403, 404, 410, 429, 500, 503)},
        }

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.port}/{path}"

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["HostileServer"]:
        """Yield the server, on a port of its own, as long as the context."""
        server = cls()
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", server.answer)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            server.port = runner.addresses[0][1]
            yield server
        finally:
            await runner.cleanup()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with any page, by the first part of its path."""
        name = request.path.split("/")[1]
        self.requests[name] += 1
        self.logins.append(request.headers.get("Authorization"))
        return await self._pages[name](request)

    @staticmethod
    def _body(body: bytes) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(body=body, content_type="image/jpeg")

        return answer

    @staticmethod
    def _status(code: int) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(status=code)

        return answer

    async def _flaky(self, request: web.Request) -> web.StreamResponse:
        fine = self.requests["flaky.png"] > 1
        return web.Response(body=picture("PNG", size=(23, 29))) if fine else web.Response(status=500)

    async def _many(self, request: web.Request) -> web.StreamResponse:
        body = self.bodies.setdefault(request.path, picture("PNG", size=(16, 16)))
        return web.Response(body=body)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(60):
            await response.write(bytes(MEGABYTE))
        return response

    async def _declared(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(60 * MEGABYTE)})
        await response.prepare(request)
        return response

    async def _slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"\xff")
            await asyncio.sleep(0.02)

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"only this")
        if request.transport is not None:
            request.transport.close()
        return response

    async def _gzipped(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    async def _to(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.query["url"]})

    async def _long(self, _request: web.Request) -> web.StreamResponse:
        """Leads to a name that no name can be."""
        return web.Response(status=302, headers={"Location": f"http://{'a' * 64}.example/x.jpg"})

    async def _hop(self, request: web.Request) -> web.StreamResponse:
        left = int(request.path.split("/")[2])
        place = "good.jpg" if left <= 1 else f"hop/{left - 1}"
        return web.Response(status=307, headers={"Location": f"/{place}"})

    async def _patient(self, request: web.Request) -> web.StreamResponse:
        """Wait at each of so many steps; the last one gives a picture."""
        await asyncio.sleep(PATIENT_SECONDS)
        left = int(request.path.split("/")[2])
        if left > 1:
            return web.Response(status=307, headers={"Location": f"/patient/{left - 1}"})
        return web.Response(body=self.bodies["good.jpg"])
