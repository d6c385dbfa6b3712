"""How many requests an API answered, and how long each took."""

import time
from functools import cache

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.health import HEALTH_PATHS
from shared.runtime.metric_aliases import Alias

REQUESTS = Counter("pappus_http_requests", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "pappus_http_request_seconds",
    "From the head of a request to the end of its answer.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
NO_ROUTE = "none"
"""Paths that no route serves: what strangers ask must not become series without end."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

ALIASES = (
    Alias("request_count", REQUESTS, {"method": "method", "route": "endpoint"}),
    Alias("request_latency_seconds", REQUEST_SECONDS),
    Alias("mlops_api_requests", REQUESTS, {"method": "method", "route": "endpoint", "status": "status"}),
    Alias("mlops_api_request_duration_seconds", REQUEST_SECONDS),
)


_requests, _request_seconds = cache(REQUESTS.labels), cache(REQUEST_SECONDS.labels)
"""The library checks the labels of a series each time it is asked for one, which takes longer than to count."""


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that was answered, and how long it took. Methods and routes are those of the API, never what a
    stranger wrote."""
    _requests(method, route, status).inc()
    _request_seconds(method, route).observe(seconds)


class MetricsMiddleware:
    """Counts each request by its route, but probes of health and metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            method = scope["method"] if scope["method"] in METHODS else NO_ROUTE
            count_request(method, route, status, time.perf_counter() - started)
