"""The application of the API: its routes, its errors, and what opens and closes with it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx2
from fastapi import FastAPI

from services.labeler.accounts.logins import Logins
from services.labeler.accounts.sign_on.provider import Provider
from services.labeler.accounts.sign_on.sign_on import open_sign_on
from services.labeler.accounts.users import Users
from services.labeler.accounts.users_file import PART, read_users
from services.labeler.api import (
    accounts,
    browse,
    classes,
    conflicts,
    duplicates,
    events,
    feedback,
    images,
    labels,
    live,
    model_history,
    models,
    people,
    review,
    session,
    sign_on,
    watching,
    webhooks,
    withdrawals,
)
from services.labeler.api.examples import description
from services.labeler.api.live_accuracy import show_live_accuracy
from services.labeler.api.problems import report_exceptions
from services.labeler.api.service import AppContext
from services.labeler.api.session_check import SessionMiddleware
from services.labeler.commands.command_bus import CommandBus
from services.labeler.commands.duplicates import Duplicates
from services.labeler.commands.given_answers import GivenAnswers
from services.labeler.commands.label_doubts import PART as LABEL_DOUBTS
from services.labeler.commands.label_doubts import LabelDoubts
from services.labeler.commands.open_feedback import PART as FEEDBACK
from services.labeler.commands.open_feedback import OpenFeedback
from services.labeler.commands.reconnecting_publisher import ReconnectingPublisher
from services.labeler.commands.settled_uploads import PART as UPLOAD_SWEEPER
from services.labeler.commands.settled_uploads import SettledUploads
from services.labeler.commands.vote_decisions import PART as VOTES
from services.labeler.commands.vote_decisions import VoteDecisions
from services.labeler.commands.webhook_delivery import PART as WEBHOOKS
from services.labeler.commands.webhook_delivery import WebhookDelivery
from services.labeler.commands.withdrawn_uploads import GROUP, WithdrawnUploads
from services.labeler.data.projection import FOLD_VERSION, PROJECTORS
from services.labeler.queries.events import EventFeed
from services.labeler.queries.log_watch import AskGroups, LogWatch
from services.labeler.settings import MIGRATIONS, SCHEMA, SOURCE, LabelerSettings
from shared.http.api import Api
from shared.messaging.event_log import EventLog
from shared.runtime.clock import Clock, utc_now
from shared.runtime.followed_file import FollowedFile
from shared.runtime.health import Health
from shared.runtime.process import keep_running, run_parts
from shared.storage.object_store import ObjectStore
from shared.tables.database import Database
from shared.tables.projection import Projection

OpenStore = Callable[[], AbstractAsyncContextManager[ObjectStore]]
OpenAnswers = Callable[[], AbstractAsyncContextManager[GivenAnswers]]


def create_app(
    settings: LabelerSettings,
    event_log: EventLog,
    open_store: OpenStore,
    health: Health,
    clock: Clock = utc_now,
    ask_groups: AskGroups | None = None,
    provider_network: httpx2.AsyncBaseTransport | None = None,
    predictor_network: httpx2.AsyncBaseTransport | None = None,
) -> Api:
    """Return the application. It answers HTTP at once; tables and store are opened beside it, and again after a
    failure. `ask_groups`: how consumer groups are asked for; None if they cannot be. `provider_network`
    replaces the network to the provider that people log in with, and `predictor_network` that to the predictor, for
    tests.

    Raises:
        InvalidSettings: those of the provider contradict each other.
    """
    provider = None if settings.provider is None else Provider(settings.provider, provider_network)
    log_watch = LogWatch(event_log, ask_groups)
    given_answers = partial(GivenAnswers.open, settings, predictor_network)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        work = partial(_work, app, settings, event_log, open_store, clock, log_watch, provider, given_answers)
        task = asyncio.create_task(keep_running(health, "tables", work))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app = Api(
        title="Pappus labeling API",
        description=description.ABOUT,
        health=health,
        upload_limit_bytes=settings.upload_limit_bytes,
        lifespan=lifespan,
        hosts=settings.http_hosts,
        checks=[SessionMiddleware],
    )
    app.state.service, app.state.health = None, health
    reading = (
        browse,
        images,
        duplicates,
        labels,
        feedback,
        review,
        classes,
        conflicts,
        people,
        withdrawals,
        model_history,
        models,
        watching,
        events,
        live,
        webhooks,
    )
    for routes in (session, *reading, accounts):
        app.include_router(routes.router)
    # Without a provider they say so, and are not described.
    for router in (sign_on.router, accounts.provider_router):
        app.include_router(router, include_in_schema=provider is not None)
    examples = partial(description.examples_of, settings.labels, settings.model_name, provider is not None)
    app.explain(description.TAGS, examples, description.PROBLEMS)
    report_exceptions(app)
    return app


def follow_users(path: Path | None, users: Users, health: Health, clock: Clock) -> FollowedFile:
    """Return the users file, which the table follows: who is not in it is out."""

    async def take(path: Path) -> list[str]:
        return await users.set_all(read_users(path), clock())

    return FollowedFile(path, take, health, PART)


async def _work(
    app: FastAPI,
    settings: LabelerSettings,
    event_log: EventLog,
    open_store: OpenStore,
    clock: Clock,
    log_watch: LogWatch,
    provider: Provider | None,
    open_answers: OpenAnswers,
) -> None:
    """Open the tables and the store, then follow the log until cancelled. Reads are answered while the log is away."""
    health: Health = app.state.health
    health.set("tables", False, "Waiting for PostgreSQL.")
    database_url = settings.database_dsn
    async with (
        Database.open(database_url, SCHEMA, MIGRATIONS) as database,
        open_store() as store,
        open_answers() as answers,
    ):
        users, publisher = Users(database), ReconnectingPublisher()
        await users.prepare()
        users_file = follow_users(settings.users_file, users, health, clock)
        await users_file.look()
        projection = Projection(
            event_log,
            database,
            PROJECTORS,
            health,
            silence_seconds=settings.writer_silence_seconds,
            fold_version=FOLD_VERSION,
        )
        feed = EventFeed(database)
        delivery = WebhookDelivery(database, feed, settings, clock)
        pictures = Duplicates(database, store)
        settled = SettledUploads(event_log, database, store, settings, clock)
        topics = [projector.event.topic for projector in PROJECTORS]
        label_doubts = LabelDoubts(database, settings, topics)
        command_bus = CommandBus(publisher, database, settings, clock)
        open_feedback = OpenFeedback(command_bus, topics)
        votes = VoteDecisions(database, publisher, settings.vote_rules, clock, topics)
        try:
            app.state.service = AppContext(
                settings,
                database,
                store,
                command_bus,
                users,
                Logins(users),
                feed,
                log_watch,
                answers,
                pictures,
                None if provider is None else open_sign_on(provider, settings, database, users),
            )
            health.set("tables", True)
            await run_parts(
                health,
                users=keep_running(health, PART, users_file.follow),
                accuracy=keep_running(health, "live accuracy", partial(show_live_accuracy, database)),
                projection=keep_running(health, f"projection {SCHEMA}", projection.run),
                withdrawals=keep_running(health, GROUP, partial(WithdrawnUploads(store).run, event_log, health)),
                webhooks=keep_running(health, WEBHOOKS, partial(delivery.run, health)),
                doubts=keep_running(health, LABEL_DOUBTS, partial(label_doubts.run, health)),
                **(
                    {"votes": keep_running(health, VOTES, partial(votes.run, health))} if settings.vote_rules.on else {}
                ),
                feedback=keep_running(health, FEEDBACK, partial(open_feedback.run, health)),
                sweeper=keep_running(health, UPLOAD_SWEEPER, partial(settled.run, health)),
                publisher=keep_running(
                    health, "publisher", partial(publisher.stay_connected, event_log, SOURCE, health)
                ),
            )
        finally:
            pictures.close()
            app.state.service = None
