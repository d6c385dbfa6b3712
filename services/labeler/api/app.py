"""The API as an application: routes, errors, and what opens and closes with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request, Response

from services.labeler.accounts.users import Users, read_users
from services.labeler.api import images, labels, models, session
from services.labeler.api.middleware import BodyLimitMiddleware, TraceMiddleware
from services.labeler.api.problems import handle_problems
from services.labeler.api.service import AppContext
from services.labeler.commands.late_publisher import ReconnectingPublisher
from services.labeler.commands.sending import CommandBus
from services.labeler.data.projection import PROJECTORS
from services.labeler.settings import MIGRATIONS, SCHEMA, SOURCE, LabelerSettings
from shared.messaging.event_log import EventLog
from shared.runtime.clock import Clock, utc_now
from shared.runtime.health import HEALTH_PATHS, Health, health_response
from shared.runtime.process import keep_running, run_parts
from shared.storage.object_store import ObjectStore
from shared.tables.database import Database
from shared.tables.projection import Projection

OpenStore = Callable[[], AbstractAsyncContextManager[ObjectStore]]


def create_app(
    settings: LabelerSettings, event_log: EventLog, open_store: OpenStore, health: Health, clock: Clock = utc_now
) -> FastAPI:
    """The application. HTTP is there at once; what it needs is opened beside it, again and again if need be."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        work = partial(_work, app, settings, event_log, open_store, clock)
        task = asyncio.create_task(keep_running(health, "tables", work))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app = FastAPI(
        title="Pappus labeler",
        description="People upload images and correct labels; every answer says what became of it.",
        lifespan=lifespan,
    )
    app.state.service, app.state.health = None, health
    for path in HEALTH_PATHS:
        app.add_api_route(path, _health, methods=["GET"], response_class=Response, tags=["health"])
    for router in (session.router, images.router, labels.router, models.router):
        app.include_router(router)
    handle_problems(app)
    app.add_middleware(BodyLimitMiddleware, upload_limit_bytes=settings.upload_limit_bytes)
    app.add_middleware(TraceMiddleware)
    return app


async def _work(
    app: FastAPI, settings: LabelerSettings, event_log: EventLog, open_store: OpenStore, clock: Clock
) -> None:
    """Open the tables and the store, then follow the log until cancelled. Reading goes on while the log is away."""
    health: Health = app.state.health
    health.set("tables", False, "Waiting for PostgreSQL.")
    database_url = settings.database_url.get_secret_value()
    async with Database.open(database_url, SCHEMA, MIGRATIONS) as database, open_store() as store:
        users, publisher = Users(database), ReconnectingPublisher()
        if settings.users_file is not None:
            await users.upsert(read_users(settings.users_file))
        projection = Projection(
            event_log, database, PROJECTORS, health, silence_seconds=settings.writer_silence_seconds
        )
        try:
            app.state.service = AppContext(
                settings, database, store, CommandBus(publisher, database, settings, clock), users
            )
            health.set("tables", True)
            await run_parts(
                health,
                projection=keep_running(health, f"projection {SCHEMA}", projection.run),
                publisher=keep_running(
                    health, "publisher", partial(publisher.stay_connected, event_log, SOURCE, health)
                ),
            )
        finally:
            app.state.service = None


def _health(request: Request) -> Response:
    """How this process is; see shared.runtime.health."""
    found = health_response(request.app.state.health, request.url.path)
    return Response(found.body, found.status, headers={"Content-Type": found.content_type})
