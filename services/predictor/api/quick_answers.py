"""The usual request for a prediction, answered in one step.

Middleware, routing and the reading of forms in pieces cost as much as the model. So the request that most clients send,
`POST /predict` with one file in a form or as it is, and a Content-Length, is answered here, by the same rules; every
other one, and one that a browser sent, goes to the application behind. What is refused here is refused with the same
problems.
"""

import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from opentelemetry.trace import Span, StatusCode
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Receive, Scope, Send

from services.predictor.api.key_check import KEY_HEADER, admit, presented_key
from services.predictor.api.keys import ApiKeys
from services.predictor.api.predictions import Asker, Predictions
from shared.http.browsers import HEADERS
from shared.http.forms import check_has_image, image_of, is_image
from shared.http.limits import ARRIVED, FORM_BYTES, BodyBudget
from shared.http.metrics import count_request
from shared.http.problems import Problem, body_cut, problem_response
from shared.http.tracing import TRACE_ID
from shared.runtime.hosts import answers_as
from shared.runtime.tracing import begin_span, trace_id_of

PATH = "/predict"
MOST_HOSTS = 100
"""So many names under which this server answers are remembered."""
_UNUSUAL = frozenset({b"origin", b"sec-fetch-site", b"transfer-encoding", b"content-encoding"})
_KEY_HEADER = KEY_HEADER.lower().encode()
_as_json = TypeAdapter(dict[str, Any]).dump_json
_Headers = Sequence[tuple[bytes, bytes]]
_FIXED: _Headers = [
    (b"content-type", b"application/json"),
    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
]


class _Head(NamedTuple):
    """What the head of a usual request says. `around`: how many bytes there may be around the file; `key`: empty if it
    has none."""

    content_type: str
    length: int
    around: int
    host: bytes
    traceparent: str | None
    key: bytes


class QuickAnswers:
    """Answers usual requests for predictions; hands all others on."""

    def __init__(
        self,
        app: ASGIApp,
        predictions: Predictions,
        keys: ApiKeys,
        hosts: Collection[str],
        upload_limit_bytes: int,
        bodies: BodyBudget,
    ) -> None:
        self._app = app
        self._predictions = predictions
        self._keys = keys
        self._hosts = frozenset(host.lower() for host in hosts)
        self._own_hosts: set[bytes] = set()
        self._upload_limit_bytes = upload_limit_bytes
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = None
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            head = _read_head(scope["headers"])
        if head is None or head.length > self._upload_limit_bytes + head.around or not self._is_own(head.host):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        span = begin_span(head.traceparent, f"POST {PATH}")
        status = 500
        try:
            status = await self._respond(head, scope, receive, send, span)
        except Exception as error:
            span.record_exception(error)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            if span.is_recording():
                span.set_attributes(
                    {
                        "http.request.method": "POST",
                        "http.route": PATH,
                        "url.path": PATH,
                        "http.response.status_code": status,
                    }
                )
            span.end()
            count_request("POST", PATH, status, time.perf_counter() - started)

    async def _respond(self, head: _Head, scope: Scope, receive: Receive, send: Send, span: Span) -> int:
        """Send the answer or the problem; return its status. A bug is answered outside of all middleware."""
        try:
            body = await self._answer(head, scope, receive, span)
        except Problem as problem:
            refused = problem_response(problem)
        else:
            await _send(send, 200, _FIXED, body, span)
            return 200
        refused.headers.update(HEADERS)
        await _send(send, refused.status_code, refused.raw_headers, bytes(refused.body), span)
        return refused.status_code

    async def _answer(self, head: _Head, scope: Scope, receive: Receive, span: Span) -> bytes:
        """Return the body of the answer. Raises Problem."""
        key = admit(self._keys, head.key) if self._keys.asked_for else None
        predictions = self._predictions
        with self._bodies.body() as body:
            with predictions.refusals_counted():
                predictions.serving()  # without a model there is no point in reading the image
                check_has_image(head.content_type)
                form = await self._bodies.read(receive, body, arrived=ARRIVED in scope)
            if form is None:
                raise body_cut()
            with predictions.refusals_counted():
                data = await image_of(head.content_type, form, self._upload_limit_bytes)
                del form
                asker = Asker.of(scope, key)
                # Only now: a request that is half sent takes no other's place.
                with await predictions.turns.take(asker.client, asker.arrived) as turn:
                    fields = await predictions.answer(data, span, turn, key)
        return _as_json(fields)

    def _is_own(self, host: bytes) -> bool:
        """Return whether this server answers under a name, as BrowserMiddleware does."""
        if host in self._own_hosts:
            return True
        if not answers_as(host.decode("latin-1"), self._hosts):
            return False
        if len(self._own_hosts) < MOST_HOSTS:
            self._own_hosts.add(host)
        return True


def _read_head(headers: _Headers) -> _Head | None:
    """Return what the headers of a request say; None if it is no usual one."""
    given = dict(headers)
    content_type, length, host = given.get(b"content-type", b""), given.get(b"content-length", b""), given.get(b"host")
    if (
        len(given) < len(headers)  # something is said twice
        or not _UNUSUAL.isdisjoint(given)
        or host is None
        or not length.isdigit()
    ):
        return None
    kind = content_type.decode("latin-1")
    is_form = kind.startswith("multipart/")
    if not is_form and not is_image(kind):
        return None
    traceparent = given.get(b"traceparent")
    return _Head(
        kind,
        int(length),
        FORM_BYTES if is_form else 0,
        host,
        traceparent.decode("latin-1") if traceparent else None,
        presented_key(
            given.get(b"authorization", b"").decode("latin-1"), given.get(_KEY_HEADER, b"").decode("latin-1")
        ),
    )


async def _send(send: Send, status: int, headers: _Headers, body: bytes, span: Span) -> None:
    length = [(b"content-length", str(len(body)).encode())] if headers is _FIXED else []
    trace = (TRACE_ID, (trace_id_of(span) or "").encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length, trace]})
    await send({"type": "http.response.body", "body": body})
