"""A few routes of the labeler's API for the browser, in the session of its cookie, which no script can read.

Files stream through: Streamlit's own uploader holds all it is given in memory, which 500 photos would fill.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx2
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.labeler.ui.api_clients import LABELER_UNAVAILABLE
from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from shared.runtime.hosts import is_foreign

PREFIX = "/labeler"
READ = ("", "/rendition", "/history", "/story")
"""What of an image a page may read."""
AT_ONCE_OF_A_LOGIN = 16
AT_ONCE = 100
"""How many commands, uploads among them, may be under way: each holds two connections and some 100 kB."""
FORM_BYTES = 65_536
TIMEOUT = httpx2.Timeout(30.0, connect=3.0)
SENT_ON = ("content-type", "content-length", "idempotency-key", "if-none-match")
SENT_BACK = ("content-type", "cache-control", "etag", "retry-after", "x-content-type-options")
IMAGE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class LabelerDoor:
    """Sends requests of the browser on to the labeler. `check` says whether the labeler knows a session (200, 401 or
    503); files above `limit_bytes` are refused before they are read. `transport` replaces the network, for tests."""

    def __init__(
        self,
        labeler_url: str,
        check: Callable[[Session], Awaitable[int]],
        limit_bytes: int,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._labeler_url = labeler_url
        self._check = check
        self._limit_bytes = limit_bytes
        self._transport = transport
        self._under_way: Counter[str] = Counter()
        self._http: httpx2.AsyncClient | None = None

    def routes(self) -> list[Route]:
        """Return the routes: those of a page, and no others."""
        return [
            Route(f"{PREFIX}/images", self._command, methods=["POST"]),
            Route(f"{PREFIX}/images/{{image_id}}/label", self._command, methods=["POST"]),
            *(Route(f"{PREFIX}/images/{{image_id}}{part}", self._read, methods=["GET"]) for part in READ),
        ]

    async def _read(self, request: Request) -> Response:
        session = cookie.decode(request.cookies.get(cookie.COOKIE))
        return _logged_out() if session is None else await self._pass_on(request, session)

    async def _command(self, request: Request) -> Response:
        """Send a command on, unless a page of another site sent it, or too many are under way."""
        origins, hosts = request.headers.getlist("origin"), request.headers.getlist("host")
        if is_foreign(origins, request.headers.get("sec-fetch-site"), hosts):
            return _problem(403, "foreign_origin", "A page of another site sent this request.")
        session = cookie.decode(request.cookies.get(cookie.COOKIE))
        status = 401 if session is None else await self._check(session)
        if session is None or status == 401:
            return _logged_out()
        if status != 200:
            return _unavailable()
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limit_bytes + FORM_BYTES:
            return _problem(413, "too_large", f"A file may have at most {self._limit_bytes:,} bytes.")
        login = cookie.token_hash(session)
        if self._under_way[login] >= AT_ONCE_OF_A_LOGIN or self._under_way.total() >= AT_ONCE:
            return _problem(429, "too_many", "Too many requests are under way. It is tried again.", 1)
        self._under_way[login] += 1
        try:
            return await self._pass_on(request, session)
        finally:
            self._under_way[login] -= 1
            if not self._under_way[login]:
                del self._under_way[login]

    async def _pass_on(self, request: Request, session: Session) -> Response:
        image_id = request.path_params.get("image_id")
        if image_id is not None and not IMAGE.fullmatch(image_id):
            return _problem(404, "image_unknown", "This is no id of an image.")
        headers = {name: request.headers[name] for name in SENT_ON if name in request.headers}
        headers["authorization"] = f"Bearer {session.token}"
        try:
            answer = await self._client().request(
                request.method,
                self._labeler_url + request.url.path.removeprefix(PREFIX),
                params=request.query_params,
                content=request.stream() if request.method == "POST" else None,
                headers=headers,
            )
        except ClientDisconnect:
            return Response(status_code=400)  # who would read it is gone
        except httpx2.HTTPError:
            return _unavailable()
        kept = {name: answer.headers[name] for name in SENT_BACK if name in answer.headers}
        return Response(answer.content, answer.status_code, kept)

    def _client(self) -> httpx2.AsyncClient:
        """Return the client, opened at the first request: only then there is an event loop."""
        if self._http is None:
            limits = httpx2.Limits(max_connections=2 * AT_ONCE, max_keepalive_connections=AT_ONCE_OF_A_LOGIN)
            self._http = httpx2.AsyncClient(timeout=TIMEOUT, limits=limits, transport=self._transport)
        return self._http


def _problem(status: int, error: str, detail: str, retry_after_seconds: int = 0) -> JSONResponse:
    headers = {"Retry-After": str(retry_after_seconds)} if retry_after_seconds else None
    return JSONResponse({"status": status, "error": error, "detail": detail}, status, headers)


def _logged_out() -> JSONResponse:
    return _problem(401, "unauthorised", "The session has ended. Log in again.")


def _unavailable() -> JSONResponse:
    return _problem(503, "unavailable", LABELER_UNAVAILABLE, 2)
