"""Files for the uploader come from people who are logged in, and few at a time."""

from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session

UPLOADS = "/_stcore/upload_file/"
FILES_PER_TAB = 4
"""The pages hold one file; while it is replaced there may be two."""

FilesOfTab = Callable[[str], int]


class UploadGuard:
    """Takes files for the uploader only from people who are logged in, and few at a time: Streamlit itself keeps what
    any open socket sends it, in memory."""

    def __init__(self, app: ASGIApp, check: Callable[[Session], Awaitable[int]], files_of_tab: FilesOfTab) -> None:
        self._app = app
        self._check = check
        self._files_of_tab = files_of_tab
        self._arriving: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but uploads that are not welcome."""
        if scope["type"] != "http" or not scope["path"].startswith(UPLOADS) or scope["method"] in ("OPTIONS", "DELETE"):
            await self._app(scope, receive, send)
            return
        tab = scope["path"].removeprefix(UPLOADS).partition("/")[0]
        self._arriving[tab] += 1
        try:
            refusal = await self._refusal(scope, tab)
            await (refusal or self._app)(scope, receive, send)
        finally:
            self._arriving[tab] -= 1
            if not self._arriving[tab]:
                del self._arriving[tab]

    async def _refusal(self, scope: Scope, tab: str) -> Response | None:
        session = cookie.decode(Request(scope).cookies.get(cookie.COOKIE))
        status = 401 if session is None else await self._check(session)
        if status == 401:
            return PlainTextResponse("Log in before you upload a file.", 401)
        if status != 200:
            return PlainTextResponse("The labeler does not answer. Try again in a moment.", 503, {"Retry-After": "2"})
        if self._files_of_tab(tab) + self._arriving[tab] > FILES_PER_TAB:
            return PlainTextResponse("This tab holds enough files. Remove one, or reload the page.", 429)
        return None


def files_of_tab(tab: str) -> int:
    """Return how many files Streamlit holds for the session of a tab."""
    files = runtime.get_instance().uploaded_file_mgr
    return len(files.file_storage.get(tab, ())) if isinstance(files, MemoryUploadedFileManager) else 0
