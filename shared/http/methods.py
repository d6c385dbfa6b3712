"""A method that a path does not have is refused, also where a route with a parameter would take the path's last word
for a value."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.allowed_methods import ExactPaths
from shared.http.problems import method_refused


class MethodMiddleware:
    """Answers 405 for a path that routes name word by word, if none of them has the method: `GET /models/rollback` asks
    about no model of that name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._exact: ExactPaths | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._exact is None:  # all routes are there when the first request comes
            self._exact = ExactPaths(scope["app"])
        route = self._exact.refused_by(scope["path"], scope["method"])
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        await method_refused(Request(scope))(scope, receive, send)
