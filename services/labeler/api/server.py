"""The HTTP server of the API."""

import asyncio
from contextlib import nullcontext
from typing import Any

import uvicorn
from fastapi import FastAPI

GRACE_SECONDS = 4
"""What is in flight when the process is asked to end has this long; a command that waits longer is repeated."""


class _Server(uvicorn.Server):
    """Signals belong to `shared.runtime.process.run`."""

    def capture_signals(self) -> Any:
        """Leaves the signal handlers alone."""
        return nullcontext()


async def serve_http(app: FastAPI, host: str, port: int) -> None:
    """Serve `app` until cancelled; then accept nothing more, finish what is in flight, and close what `app` opened."""
    config = uvicorn.Config(
        app, host, port, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS, server_header=False
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
