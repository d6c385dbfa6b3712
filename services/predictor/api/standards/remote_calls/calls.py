"""The calls of the Open Inference Protocol over gRPC, answered as over HTTP: by keys, in traces, counted, with the same
refusals."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import grpc
from opentelemetry.trace import SpanKind
from structlog.contextvars import bound_contextvars, get_contextvars

from services.predictor.api.key_check import KEY_HEADER, admit, presented_key
from services.predictor.api.keys import ApiKeys
from services.predictor.api.predictions import Asker
from services.predictor.api.standards.inference import SERVER, Inference, described
from services.predictor.api.standards.protocol import open_inference_pb2 as pb
from services.predictor.api.standards.remote_calls.arrivals import Arrivals
from services.predictor.api.standards.remote_calls.messages import parse, read_request, write_answer
from services.predictor.metrics import GRPC_REQUEST_SECONDS, GRPC_REQUESTS
from shared.http.limits import BodyBudget
from shared.http.problems import Problem
from shared.http.tracing import TRACE_ID
from shared.runtime.telemetry import logger
from shared.runtime.tracing import continued, current_span, current_trace_id, inside

SERVICE = "inference.GRPCInferenceService"
STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.INVALID_ARGUMENT,  # the same file is never taken
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""The status of a problem, by its status over HTTP."""
RETRY = "retry-after"
"""The metadata of a refusal that says in how many seconds the same call may succeed, as the header of HTTP does."""
BUG = "The service failed on this request because of a bug; its log says why. Report it. Other requests go on."
_Context = grpc.aio.ServicerContext[Any, Any]
_Call = Callable[[_Context], Awaitable[Any]]


class Calls:
    """The calls. Each takes a stream of one message, which is the same on the wire as the message alone: so who asks,
    and whether there is an answer, is known before the message is read."""

    def __init__(self, inference: Inference, keys: ApiKeys, bodies: BodyBudget, longest_bytes: int) -> None:
        """`bodies`: the room of all bodies; `longest_bytes`: how long a message may be."""
        self._inference = inference
        self._keys = keys
        self._bodies = bodies
        self._longest_bytes = longest_bytes
        self._arrivals = Arrivals(longest_bytes)

    def handlers(self) -> Mapping[str, Any]:
        """Return the handler of each call, by its name."""
        calls: dict[str, tuple[_Call, bool]] = {
            "ServerLive": (self.tell_live, False),
            "ServerReady": (self.tell_ready, False),
            "ServerMetadata": (self.describe_server, True),
            "ModelReady": (self.tell_model_ready, True),
            "ModelMetadata": (self.describe_model, True),
            "ModelInfer": (self.infer, True),
        }
        return {
            name: grpc.stream_unary_rpc_method_handler(partial(self._respond, name, call, keyed))
            for name, (call, keyed) in calls.items()
        }

    async def tell_live(self, _context: _Context) -> Any:
        """As `/livez`."""
        return pb.ServerLiveResponse(live=self._inference.health.live)

    async def tell_ready(self, _context: _Context) -> Any:
        """As `/readyz`: a model answers."""
        return pb.ServerReadyResponse(ready=self._inference.health.ready)

    async def describe_server(self, _context: _Context) -> Any:
        """Say what of the protocol is there."""
        return pb.ServerMetadataResponse(name=SERVER["name"], version=SERVER["version"])

    async def tell_model_ready(self, context: _Context) -> Any:
        """A model that is in service is ready; before the first none is, and every other one does not exist here."""
        asked = parse(pb.ModelReadyRequest, await self._message(context))
        if not self._inference.predictions.has_model:
            return pb.ModelReadyResponse(ready=False)
        self._inference.serving(asked.name, asked.version or None)
        return pb.ModelReadyResponse(ready=True)

    async def describe_model(self, context: _Context) -> Any:
        """Name the inputs, of which a request has one, and the outputs."""
        asked = parse(pb.ModelMetadataRequest, await self._message(context))
        return pb.ModelMetadataResponse(**described(self._inference.serving(asked.name, asked.version or None)))

    async def infer(self, context: _Context) -> Any:
        """Say what images show."""
        predictions = self._inference.predictions
        with self._bodies.body() as body, predictions.refusals_counted():
            predictions.serving()  # what cannot be answered need not be read
            data = await self._message(context)
            size_bytes = len(data)
            self._bodies.add(body, size_bytes, asyncio.get_running_loop().time())
            take_apart = partial(read_request, data)
            del data
            asked, name, version = await self._inference.batches.read(take_apart, size_bytes)
            del take_apart
            self._inference.serving(name, version)  # nor looked at
            asker = _asker(context)
            return write_answer(await self._inference.infer(lambda: asked, size_bytes, name, version, asker, _stays))

    async def _message(self, context: _Context) -> bytes:
        """Return the message of a call. Raises Problem: 400 without one, 408 if it comes too slowly."""
        found = await self._arrivals.read(context.read)
        if not isinstance(found, bytes):
            detail = f"The call has no message, or one of more than {self._longest_bytes:,} bytes. Send one."
            raise Problem(400, "bad_request", detail)
        return found

    async def _respond(self, name: str, call: _Call, keyed: bool, _messages: Any, context: _Context) -> bytes:
        """Answer a call, or end it with the status and the sentence of a problem."""
        started, code, answer = time.perf_counter(), grpc.StatusCode.CANCELLED, b""
        given = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        detail, metadata = "", []
        try:
            with _span(name, given.get("traceparent")):
                try:
                    with self._admitted(given) if keyed else nullcontext():
                        answer = (await call(context)).SerializeToString()
                    code = grpc.StatusCode.OK
                except Problem as problem:
                    code, detail = STATUS[problem.status_code], problem.detail
                    metadata = [
                        (RETRY, value) for key, value in (problem.headers or {}).items() if key.lower() == RETRY
                    ]
                except Exception as error:  # noqa: BLE001 - logged; the text of an exception stays inside
                    logger.error("a request failed", call=name, exc_info=error)
                    code, detail = grpc.StatusCode.INTERNAL, BUG
                current_span().set_attribute("rpc.grpc.status_code", code.value[0])
                metadata.append((TRACE_ID.decode(), current_trace_id() or ""))
            context.set_trailing_metadata(tuple(metadata))
            if code is not grpc.StatusCode.OK:
                await context.abort(code, detail, tuple(metadata))
            return answer
        finally:
            GRPC_REQUESTS.labels(name, code.name).inc()
            GRPC_REQUEST_SECONDS.labels(name).observe(time.perf_counter() - started)

    @contextmanager
    def _admitted(self, given: Mapping[str, str]) -> Iterator[None]:
        """Name the key of a call in each of its log lines. Raises Problem (401, 429)."""
        if not self._keys.asked_for:
            yield
            return
        authorization, key = (_latin(given.get(header, "")) for header in ("authorization", KEY_HEADER.lower()))
        with bound_contextvars(api_key=admit(self._keys, presented_key(authorization, key))):
            yield


@contextmanager
def _span(name: str, parent: str | None) -> Iterator[None]:
    """Open a span for a call: a child of the caller's, else the first of its trace. Of what reads alone only a caller's
    trace is recorded, as over HTTP."""
    if parent is None and name != "ModelInfer":
        with inside(None):
            yield
        return
    with continued(parent, f"{SERVICE}/{name}", SpanKind.SERVER) as span:
        if span.is_recording():
            span.set_attributes({"rpc.system": "grpc", "rpc.service": SERVICE, "rpc.method": name})
        yield


def _asker(context: _Context) -> Asker:
    """Return who calls: an address as "ipv4:127.0.0.1:50000", without its port."""
    key: str | None = get_contextvars().get("api_key")
    return Asker(key or (context.peer() or "").rpartition(":")[0], key, None)


async def _stays() -> bool:
    """Return False: a call whose client has left is cancelled by the library."""
    return False


def _latin(text: str) -> str:
    """Return a value of metadata as a header has it: each byte a character."""
    return text.encode(errors="surrogateescape").decode("latin-1")
