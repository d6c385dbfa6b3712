"""A request and how to read its response: data only, so that blocking and asynchronous callers share every request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import uuid4

from shared.runtime.tracing import traceparent

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[T_co]):
    """One request. `read` turns the body of a successful response into its type and raises ValueError if it cannot.

    `file` is (name, bytes), sent as the field "file" of a form, with the fields of `form`. `none_if_missing`: a 404 is
    read as JSON null.
    """

    method: str
    path: str
    read: Callable[[bytes], T_co]
    params: Mapping[str, str | int] | None = None
    json: Mapping[str, Any] | None = None
    file: tuple[str, bytes] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    none_if_missing: bool = False

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments that httpx2 takes for this request, made in the current trace."""
        files = None if self.file is None else {"file": self.file}
        trace = traceparent()
        headers = self.headers if trace is None else {**(self.headers or {}), "traceparent": trace}
        return {"params": self.params, "json": self.json, "data": self.form, "files": files, "headers": headers}


def idempotency(key: str | None) -> dict[str, str]:
    """Return the header that lets the API recognise a repetition; None makes a fresh key. All tries of one ApiRequest
    share its key."""
    return {"Idempotency-Key": key if key is not None else str(uuid4())}
