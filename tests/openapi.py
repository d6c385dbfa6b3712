"""An API answers as its OpenAPI document says to every request."""

import asyncio
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.testing import eventually
from tests.profiles import examples

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def check_api(app: FastAPI, ready: Callable[[], bool], headers: Mapping[str, str] | None = None) -> None:
    """Send generated requests, valid and invalid, to each operation of an application once it is ready. Its lifespan
    runs on an event loop in another thread until this returns.

    Raises:
        Exception: an answer was a 5xx, or had a status, a content type or a body that the document does not describe.
    """
    try:
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        asyncio.run(eventually(ready, 60))
        found = list(schema.get_all_operations())
        assert found
        for operation in found:
            assert isinstance(operation, Ok), operation
            _check_operation(operation.ok(), dict(headers or {}))
    finally:
        shutdown_lifespans()


def _check_operation(operation: APIOperation[Any, Any, Any, Any], headers: dict[str, str]) -> None:
    @settings(examples(0.1), suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def answers_as_described(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, headers=headers)

    with warnings.catch_warnings():
        # A thread of the application may use `random` meanwhile, which hypothesis takes for the doing of the strategy.
        warnings.filterwarnings("ignore", "Do not use the `random` module inside strategies")
        answers_as_described()
