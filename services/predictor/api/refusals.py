"""Why a request gets no answer, in the one shape of all errors: {"error": code, "detail": what happened and what to
do}."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.predictor.metrics import REFUSALS


class Refusal(Exception):
    """A request that is not answered. `retry_after_seconds` is set where the same request may work later."""

    def __init__(self, status: int, error: str, detail: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


def install(app: FastAPI) -> None:
    """Give every error of `app` that shape."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)


async def _on_refusal(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refusal):
        raise error
    REFUSALS.labels(error.error).inc()
    headers = {} if error.retry_after_seconds is None else {"Retry-After": str(error.retry_after_seconds)}
    return _body(error.status, error.error, error.detail, headers)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).name.lower()
    detail = f"{request.method} {request.url.path}: {error.detail}. What can be asked is at /docs."
    return _body(error.status_code, code, detail, dict(error.headers or {}))


async def _on_bug(_request: Request, _error: Exception) -> JSONResponse:
    return _body(500, "internal_error", "The predictor failed on this request; its log says why. Report it.", {})


def _body(status: int, error: str, detail: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": error, "detail": detail}, status, headers)
