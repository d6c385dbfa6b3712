"""Errors as JSON: {"error": code, "detail": what happened and what to do}, and 503 with Retry-After."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from services.labeler.accounts.sessions import Unauthorised
from services.labeler.api.service import Forbidden
from services.labeler.commands.outcomes import Refused
from shared.runtime.errors import TransientError
from shared.runtime.telemetry import logger
from shared.storage.object_store import ObjectMissing

RETRY_AFTER_SECONDS = 2
CODE_OF_STATUS = {413: "too_large"}
STATUS_OF_REFUSAL = {
    "superseded": 409,
    "key_reused": 422,
    "image_unknown": 404,
    "image_not_stored": 409,
    "model_unknown": 404,
}


class Problem(BaseModel):
    """An error. Some carry more: a 409 has label, revision and corrected_by."""

    model_config = ConfigDict(extra="allow")
    error: str
    detail: str


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides success, for the API's description."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in (*statuses, 401, 503)}


def problem(
    status: int,
    code: str,
    detail: str,
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One error as a response."""
    return JSONResponse({**(facts or {}), "error": code, "detail": detail}, status, dict(headers or {}))


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return problem(STATUS_OF_REFUSAL.get(error.code, 422), error.code, str(error), error.facts)


async def _unauthorised(_request: Request, error: Exception) -> JSONResponse:
    return problem(401, "unauthorised", str(error), headers={"WWW-Authenticate": "Bearer"})


async def _forbidden(_request: Request, error: Exception) -> JSONResponse:
    return problem(403, "forbidden", str(error))


async def _missing(_request: Request, error: Exception) -> JSONResponse:
    return problem(404, "object_missing", str(error))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    logger.warning("a request found something away", path=request.url.path, reason=str(error))
    return problem(503, "unavailable", str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return problem(422, "invalid_request", "; ".join(lines))


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODE_OF_STATUS.get(error.status_code) or HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(error.status_code, code, str(error.detail), headers=error.headers)


async def _bug(request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", path=request.url.path, exc_info=error)
    return problem(
        500, "internal_error", "Something is wrong in the labeler; its log says what. Nothing else is affected."
    )


def handle_problems(app: FastAPI) -> None:
    """Every exception that leaves a route becomes a Problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Unauthorised, _unauthorised)
    app.add_exception_handler(Forbidden, _forbidden)
    app.add_exception_handler(ObjectMissing, _missing)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
