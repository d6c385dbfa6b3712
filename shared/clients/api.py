"""Sending requests to one API over HTTP, asynchronous or blocking."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from shared.clients.errors import LOCAL_STACK, ApiError, ApiProblem, ApiUnreachable, UnexpectedAnswer, UntrustedServer
from shared.clients.request import ApiRequest

T = TypeVar("T")
RETRY_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Connecting:
    """How to connect to an API. `tls`: whom to trust (None: the authorities of the system); `headers` go with every
    request; without `keep` each request has a connection of its own, so that a load balancer may give it to another
    replica; `advice` ends the text of ApiUnreachable: what to check."""

    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: bool = True
    advice: str = LOCAL_STACK


PLAINLY = Connecting()


class AsyncApi:
    """One API. A request that fails while the API restarts (no connection, 429, 502, 503, 504) is sent again for at
    most `retry_for_seconds`. `transport` replaces the network, for tests."""

    def __init__(
        self,
        base_url: str,
        retry_for_seconds: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
        connecting: Connecting = PLAINLY,
    ) -> None:
        self.base_url = base_url
        self._retry_for_seconds = retry_for_seconds
        self._advice = connecting.advice
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            timeout=httpx2.Timeout(30.0, connect=3.0),
            transport=transport,
            verify=connecting.tls or _system_authorities(),
            headers=dict(connecting.headers) | ({} if connecting.keep else {"connection": "close"}),
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20 if connecting.keep else 0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def authenticate(self, token: str) -> None:
        """Send this bearer token with every later request."""
        self._http.headers["authorization"] = f"Bearer {token}"

    async def send(self, request: ApiRequest[T]) -> T:
        """Send a request, again if need be, and return its answer.

        Raises:
            ApiError: the API refused, did not answer in time, or answered something unreadable.
        """
        deadline = time.monotonic() + self._retry_for_seconds
        while True:
            try:
                return _read(request, await self._once(request))
            except ApiError as error:
                if not error.retryable or time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(RETRY_PAUSE_SECONDS)

    async def _once(self, request: ApiRequest[T]) -> httpx2.Response:
        try:
            return await self._http.request(request.method, request.path, **request.options())
        except httpx2.RequestError as error:
            raise _no_answer(self.base_url, error, self._advice) from error


class BlockingApi:
    """One API, for code without an event loop. By default it never retries: a page shows the failure and a button. A
    program may give `retry_for_seconds`, which means what it means for AsyncApi."""

    def __init__(
        self,
        base_url: str,
        timeout_seconds: float,
        transport: httpx2.BaseTransport | None = None,
        retry_for_seconds: float = 0.0,
        connecting: Connecting = PLAINLY,
    ) -> None:
        self.base_url = base_url
        self._retry_for_seconds = retry_for_seconds
        self._advice = connecting.advice
        self._http = httpx2.Client(
            base_url=base_url,
            timeout=timeout_seconds,
            transport=transport,
            verify=connecting.tls or _system_authorities(),
            headers=dict(connecting.headers),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def authenticate(self, token: str) -> None:
        """Send this bearer token with every later request."""
        self._http.headers["authorization"] = f"Bearer {token}"

    def send(self, request: ApiRequest[T]) -> T:
        """Send a request, again if need be and allowed, and return its answer. Raises ApiError as `AsyncApi.send`
        does."""
        deadline = time.monotonic() + self._retry_for_seconds
        while True:
            try:
                return _read(request, self._once(request))
            except ApiError as error:
                if not error.retryable or time.monotonic() >= deadline:
                    raise
            time.sleep(RETRY_PAUSE_SECONDS)

    def _once(self, request: ApiRequest[T]) -> httpx2.Response:
        try:
            return self._http.request(request.method, request.path, **request.options())
        except httpx2.RequestError as error:
            raise _no_answer(self.base_url, error, self._advice) from error


@cache
def _system_authorities() -> ssl.SSLContext:
    """Return whom to trust by default. It takes 50 ms to read, so all clients share it."""
    return httpx2.create_ssl_context()


def _no_answer(base_url: str, error: httpx2.RequestError, advice: str) -> ApiError:
    distrust = _distrust(error)
    return ApiUnreachable(base_url, error, advice) if distrust is None else UntrustedServer(base_url, distrust)


def _distrust(error: BaseException | None) -> str | None:
    """Return why the certificate of the server was not accepted, None if that was not the cause of the error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def _read(request: ApiRequest[T], response: httpx2.Response) -> T:
    url = str(response.request.url)
    try:
        if response.status_code == 404 and request.none_if_missing:
            return request.read(b"null")
        if response.is_success:
            return request.read(response.content)
    except ValueError as error:
        raise UnexpectedAnswer(url, error) from error
    raise _problem(url, response)


def _problem(url: str, response: httpx2.Response) -> ApiProblem:
    """Read the problem document (RFC 9457, with the code as member `error`), or what there is instead of one."""
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    members = body if isinstance(body, dict) else {}
    reason = f"{response.status_code} {response.reason_phrase}"
    detail = members.get("detail") or members.get("title") or response.text[:300] or reason
    return ApiProblem(url, response.status_code, str(members.get("error", "")), str(detail), members)
