"""An API as both services have it: problem documents, limits on bodies and browsers, one span and one count a request,
a page that shows it, health and metrics."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from shared.http import problems
from shared.http.browsers import HEADERS, BrowserMiddleware
from shared.http.docs import OPENAPI, serve_docs
from shared.http.examples import Example, declare_examples
from shared.http.limits import BodyBudget, BodyLimitMiddleware
from shared.http.methods import MethodMiddleware
from shared.http.metrics import MetricsMiddleware
from shared.http.problems import Problem
from shared.http.tracing import TraceMiddleware
from shared.runtime.errors import TransientError
from shared.runtime.health import HEALTH_PATHS, Health, health_response

NO_SPANS: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
"""The framework's own four spans cost a sixth of an answer of the predictor; TraceMiddleware opens the one needed."""
AnError = TypeVar("AnError", bound=Exception)
Examples = Callable[[], Mapping[str, Example]]
"""Returns examples by the names of the routes; called when the description is first asked for."""


class Api(FastAPI):
    """A FastAPI application whose errors are problem documents, also in its description. A form may be as long as
    `upload_limit_bytes` and what is around it. It answers under addresses, local names and
    `hosts` (see BrowserMiddleware). `checks` wrap the routes, and may answer before the body of a request is read.
    `shortcuts` wrap all else, and do themselves what stands between them and the routes. `bodies`: the room of all
    bodies. `body_limits`: how many bytes a body that is no form may have, by the beginning of its path; `form_limits`:
    the files of a form together, by its path."""

    def __init__(
        self,
        title: str,
        description: str,
        health: Health,
        upload_limit_bytes: int,
        lifespan: Callable[[Any], AbstractAsyncContextManager[None]] | None = None,
        hosts: Collection[str] = (),
        checks: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        shortcuts: Sequence[Callable[[ASGIApp], ASGIApp]] = (),
        bodies: BodyBudget | None = None,
        body_limits: Mapping[str, int] | None = None,
        form_limits: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(
            title=title,
            version="1",
            description=description,
            lifespan=lifespan,
            telemetry=NO_SPANS,
            openapi_url=OPENAPI,
            generate_unique_id_function=lambda route: route.name,
            docs_url=None,
            redoc_url=None,
        )
        self.add_exception_handler(HTTPException, problems.on_http_exception)
        self.add_exception_handler(RequestValidationError, problems.on_invalid_request)
        self.add_exception_handler(TransientError, problems.on_transient_error)
        self.add_exception_handler(ClientDisconnect, problems.on_disconnect)
        self.add_exception_handler(Exception, _on_bug)
        self.add_middleware(MethodMiddleware)
        self.add_middleware(
            BodyLimitMiddleware,
            upload_limit_bytes=upload_limit_bytes,
            budget=bodies,
            limits=body_limits,
            forms=form_limits,
        )
        for check in checks:
            self.add_middleware(check)
        self.add_middleware(MetricsMiddleware)
        self.add_middleware(TraceMiddleware)
        self.add_middleware(BrowserMiddleware, hosts=hosts)
        for shortcut in shortcuts:
            self.add_middleware(shortcut)
        self._examples: Examples = dict
        self._problems: Sequence[Problem] = ()
        self._answer_health(health)
        serve_docs(self)

    def report_as(self, kind: type[AnError], problem_of: Callable[[AnError], Problem]) -> None:
        """Answer an exception of this kind that leaves a route with the problem that `problem_of` makes of it."""

        async def respond(_request: Request, error: Exception) -> JSONResponse:
            assert isinstance(error, kind)
            return problems.problem_response(problem_of(error))

        self.add_exception_handler(kind, respond)

    def explain(self, tags: Mapping[str, str], examples: Examples, problems: Sequence[Problem] = ()) -> None:
        """Say in the description what each tag is about, in this order, and show examples; `problems` are those that
        operations have in common."""
        self.openapi_tags = [{"name": name, "description": about} for name, about in tags.items()]
        self._examples, self._problems = examples, problems

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API, its problems and examples included."""
        if self.openapi_schema is None:
            document = super().openapi()
            _drop_null(document)
            problems.declare_problems(document)
            declare_examples(document, self._examples(), self._problems)
        return super().openapi()

    def _answer_health(self, health: Health) -> None:
        async def answer(request: Request) -> Response:
            found = health_response(health, request.url.path)
            return Response(found.body, found.status, headers={"Content-Type": found.content_type})

        for path in HEALTH_PATHS:
            self.add_api_route(path, answer, methods=["GET"], include_in_schema=False)


def _drop_null(openapi: dict[str, Any]) -> None:
    """Describe an optional parameter by the type that it has when it is sent: over HTTP it cannot be null."""
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                kinds = [kind for kind in parameter["schema"].get("anyOf", ()) if kind != {"type": "null"}]
                if len(kinds) == 1:
                    parameter["schema"] = kinds[0]


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    """Answer 500, outside all middleware."""
    response = await problems.on_bug(request, error)
    response.headers.update(HEADERS)
    return response
