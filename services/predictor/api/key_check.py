"""Which machine makes a request is decided before a byte of its body is read."""

from math import ceil

from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.predictor.api.keys import ApiKeys
from services.predictor.api.standards import mlflow_scoring, open_inference
from services.predictor.metrics import count_key
from shared.http.docs import DOCS, OPENAPI
from shared.http.problems import Problem, problem_response
from shared.runtime.health import HEALTH_PATHS

PUBLIC = frozenset({"/", DOCS, OPENAPI, *HEALTH_PATHS, open_inference.LIVE, open_inference.READY, mlflow_scoring.PING})
KEY_HEADER = "X-Api-Key"
API_KEY = APIKeyHeader(
    name=KEY_HEADER,
    scheme_name="key",
    auto_error=False,
    description="An API key, as `pappus keys add NAME` prints it. `Authorization: Bearer KEY` counts, too.",
)
"""Only describes the API: the check is the middleware's."""


class KeyMiddleware:
    """Answers 401 without a known key and 429 above its limit, where keys are asked for, except on public paths. The
    name of the key stands in each log line of the request; the key itself is nowhere."""

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not self._keys.asked_for or path in PUBLIC or path.startswith(f"{DOCS}/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            name = admit(self._keys, presented_key(headers.get("authorization", ""), headers.get(KEY_HEADER, "")))
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        with bound_contextvars(api_key=name):
            await self._app(scope, receive, send)


def admit(keys: ApiKeys, presented: bytes) -> str:
    """Count a request and return the name of its key. Raises Problem: 401 without a known key, 429 above its limit."""
    key = keys.find(presented) if presented else None
    if key is None:
        count_key("", "unauthorised")
        raise _unauthorised(bool(presented))
    if wait_seconds := keys.wait_seconds(key):
        count_key(key.name, "limited")
        detail = f"The key {key.name} may ask {key.per_minute} times a minute. Ask again later, or less often."
        raise Problem(429, "too_many_requests", detail, retry_after_seconds=ceil(wait_seconds))
    count_key(key.name, "admitted")
    return key.name


def presented_key(authorization: str, key: str) -> bytes:
    """Return the key of a request by its headers Authorization and X-Api-Key; empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    found = token if scheme.lower() == "bearer" and token else key
    return found.strip().encode("latin-1")


def _unauthorised(presented: bool) -> Problem:
    what = "This key is not known here" if presented else "This predictor answers only with a key"
    detail = f"{what}. Send one as `Authorization: Bearer KEY` or `{KEY_HEADER}: KEY`; `pappus keys add NAME` makes it."
    return Problem(401, "unauthorised", detail, headers={"WWW-Authenticate": 'Bearer realm="pappus"'})
