"""Errors over HTTP as problem documents (RFC 9457).

Beside the standard members each document has `error`, a code for programs, and the facts that a client needs to go on.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from shared.http.allowed_methods import ALLOW, allowed_methods
from shared.runtime.telemetry import logger

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:pappus:"
RETRY_AFTER_SECONDS = 2
CODE_OF_STATUS = {413: "too_large"}  # its name differs between versions of Python
OF_EVERY_REQUEST = (421, 500)
OF_EVERY_COMMAND = (400, 403, 408, 413, 503)
"""What the edge may answer for a route that reads a body: malformed, from a foreign page, slow, large, no room."""


class Problem(HTTPException):
    """A request that is refused. The detail says what happened and what to do.

    `error` is the code of the problem; `facts` are further members of the document, JSON-ready. With
    `retry_after_seconds` the same request may succeed after that time.
    """

    def __init__(
        self,
        status: int,
        error: str,
        detail: str,
        facts: Mapping[str, object] | None = None,
        *,
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        retry = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        super().__init__(status, detail, {**(headers or {}), **retry})
        self.error = error
        self.facts = dict(facts or {})


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457). Some problems have further members: a 409 has label, revision and corrected_by."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(description=f"{TYPE_PREFIX}<error>")
    title: str = Field(description="The code in words")
    status: int
    detail: str = Field(description="What happened, and what to do")
    error: str = Field(description="A code for programs")


def problem_document(problem: Problem) -> dict[str, object]:
    """Return the members of a problem document. Facts cannot replace the standard ones."""
    return {
        **problem.facts,
        "type": TYPE_PREFIX + problem.error,
        "title": problem.error.replace("_", " ").capitalize(),
        "status": problem.status_code,
        "detail": problem.detail,
        "error": problem.error,
    }


def problem_response(problem: Problem) -> JSONResponse:
    """Return the problem as a response."""
    headers = dict(problem.headers or {})
    return JSONResponse(problem_document(problem), problem.status_code, headers, media_type=MEDIA_TYPE)


async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Answer with a Problem, or with what the router or the framework refused."""
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(error)
    status = error.status_code
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return method_refused(request, error.headers)
    code = CODE_OF_STATUS.get(status) or HTTPStatus(status).name.lower()
    detail = f"{request.method} {request.url.path}: {error.detail}. /docs lists the requests that are answered."
    return problem_response(Problem(status, code, detail, headers=error.headers))


def method_refused(request: Request, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Answer 405 with the methods that the path of a request has. `headers`: those that the answer would have else."""
    allowed = allowed_methods(request.scope, headers)
    detail = (
        f"{request.method} {request.url.path}: this path has {allowed}. /docs lists the requests that are answered."
    )
    return problem_response(Problem(405, "method_not_allowed", detail, headers={**(headers or {}), ALLOW: allowed}))


async def on_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    """Answer 422 and name each field that is not as the API describes it."""
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return problem_response(Problem(422, "invalid_request", "; ".join(lines)))


async def on_transient_error(request: Request, error: Exception) -> JSONResponse:
    """Answer 503: a dependency is away, and the same request may succeed later."""
    logger.warning("a dependency of a request is away", path=request.url.path, reason=str(error))
    return problem_response(Problem(503, "unavailable", str(error), retry_after_seconds=RETRY_AFTER_SECONDS))


async def on_disconnect(_request: Request, _error: Exception) -> JSONResponse:
    """Answer a client that left before its body was whole; it reads no answer."""
    return problem_response(body_cut())


def body_cut() -> Problem:
    """Return the problem of a body that will not come whole."""
    return Problem(400, "body_cut", "The connection ended before the body. Send the request again.")


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    """Answer 500 and log the exception; its text stays inside."""
    logger.error("a request failed", path=request.url.path, exc_info=error)
    detail = "The service failed on this request because of a bug; its log says why. Report it. Other requests go on."
    return problem_response(Problem(500, "internal_error", detail))


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with, for `responses=` of the route."""
    return {status: {"description": HTTPStatus(status).phrase} for status in statuses}


def declare_problems(openapi: dict[str, Any]) -> None:
    """Give every error response of an OpenAPI document the media type and the schema of problem documents, but for
    those that have a form of their own."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    for schema in ("HTTPValidationError", "ValidationError"):
        schemas.pop(schema, None)
    schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    for operations in openapi["paths"].values():
        for operation in operations.values():
            statuses = (*OF_EVERY_REQUEST, *(OF_EVERY_COMMAND if "requestBody" in operation else ()))
            for status, response in problem_responses(*statuses).items():
                operation["responses"].setdefault(str(status), response)
            for status, response in operation["responses"].items():
                if status >= "400" and not _has_own_form(response):
                    response["content"] = {MEDIA_TYPE: dict(content[MEDIA_TYPE])}
            operation["responses"] = dict(sorted(operation["responses"].items()))


def _has_own_form(response: Mapping[str, Any]) -> bool:
    """Return whether a route says what its error looks like; of invalid parameters the framework says it, and errs."""
    content: Mapping[str, Any] = next(iter(response.get("content", {}).values()), {})
    named = content.get("schema", {}).get("$ref", "")
    return bool(named) and not named.endswith("/HTTPValidationError")
