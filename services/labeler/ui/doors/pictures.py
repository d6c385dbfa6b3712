"""Pictures for the pages: renditions of the labeler, for people who are logged in, so that a browser keeps them."""

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from services.labeler.ui.sessions import cookie
from shared.clients.labeler import get_rendition

KEPT_SECONDS = 600
"""How long a browser may show a picture without asking again; a withdrawn image is gone after that."""
WIDTHS = (144, 240, 640, 1280, 1600)
"""The longest sides that the pages ask for, in pixels."""


class Pictures:
    """Answers `/picture/{image_id}?w=` with what the labeler's API has, under the login in the cookie. The browser
    sends that cookie for our own pages only."""

    def __init__(self, labeler_url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._labeler_url = labeler_url
        self._transport = transport
        self._http: httpx2.AsyncClient | None = None

    async def send(self, request: Request) -> Response:
        """Return the picture; 401 without a login, 503 if the labeler does not answer, else the labeler's status."""
        session = cookie.decode(request.cookies.get(cookie.COOKIE))
        if session is None:
            return PlainTextResponse("Log in to see pictures.", 401)
        width = request.query_params.get("w", "")
        if width not in map(str, WIDTHS):
            return PlainTextResponse(f"Ask for a longest side of {', '.join(map(str, WIDTHS))} pixels: ?w=", 422)
        asked = get_rendition(request.path_params["image_id"], int(width))
        try:
            found = await self._client().get(
                asked.path, params=asked.params, headers={"Authorization": f"Bearer {session.token}"}
            )
        except httpx2.HTTPError:
            return PlainTextResponse("The labeler does not answer. Try again in a moment.", 503)
        if not found.is_success:
            return PlainTextResponse("The picture is not there.", found.status_code, {"Cache-Control": "no-store"})
        headers = {"Cache-Control": f"private, max-age={KEPT_SECONDS}", "Cross-Origin-Resource-Policy": "same-origin"}
        return Response(found.content, media_type=found.headers.get("Content-Type", "image/jpeg"), headers=headers)

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            self._http = httpx2.AsyncClient(base_url=self._labeler_url, timeout=30.0, transport=self._transport)
        return self._http
