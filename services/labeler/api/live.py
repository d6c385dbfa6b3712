"""Routes about what goes on: stories of images, the state of all parts, dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.labeler.api.problems import error_responses
from services.labeler.api.service import CurrentService, Labeler, Operator
from services.labeler.fields import Line
from services.labeler.queries.live_stories import live_stories, model_served
from shared.clients.live import (
    MAX_STORIES,
    DeadLettersOf,
    GroupView,
    LiveStory,
    PartsView,
    PartView,
    RedriveOutcome,
    ReplicaView,
)
from shared.runtime.errors import PappusError
from shared.runtime.health import Health

BEGIN_WITH_A_MODEL = frozenset({"predictor-worker", "predictor-batches"})
IDLE = "It begins with the first model."
router = APIRouter(tags=["events"])


@router.get("/stories", summary="Show what happened last", responses=error_responses(403, 422))
async def list_stories(
    service: CurrentService,
    _user: Labeler,
    limit: Annotated[int, Query(ge=1, le=MAX_STORIES, description="How many images at most")] = 20,
) -> list[LiveStory]:
    """List the images that something happened to last, the newest first, each with its story: where it came from, what
    the model answers, who decided what, and in which model that is live since when. Needs the role `labeler`."""
    return await live_stories(service.database, limit)


@router.get("/parts", summary="Show whether all parts keep up", responses=error_responses(403))
async def get_parts(service: CurrentService, _user: Labeler, request: Request) -> PartsView:
    """Show for each consumer group whether it runs and how many records wait for it, with which model each replica of
    the predictor answers since when, and the parts of this API. Needs the role `labeler`."""
    groups: list[GroupView] = []
    replicas: list[ReplicaView] = []
    why_unknown = ""
    try:
        replicas = await service.log_watch.replicas()
        groups = await service.log_watch.groups()
        if not await model_served(service.database):
            groups = [
                each.model_copy(update={"idle": IDLE}) if each.name in BEGIN_WITH_A_MODEL else each for each in groups
            ]
    except PappusError as error:
        why_unknown = str(error)
    health: Health = request.app.state.health
    parts = [
        PartView(name=name, ok=part["ok"], detail=part["detail"]) for name, part in health.report()["parts"].items()
    ]
    return PartsView(groups=groups, parts=parts, why_unknown=why_unknown, replicas=tuple(replicas))


@router.get("/dead-letters", summary="Count the dead letters", responses=error_responses(403))
async def list_dead_letters(service: CurrentService, _user: Labeler) -> list[DeadLettersOf]:
    """List how many messages could not be handled, by topic and group, with the most frequent reasons. Needs the role
    `labeler`."""
    return await service.log_watch.dead_letters()


@router.get("/dead-letters/dry-run", summary="Rehearse a redrive", responses=error_responses(403, 422))
async def rehearse_redrive(
    service: CurrentService,
    _user: Operator,
    topic: Annotated[Line, Query(description="From `GET /dead-letters`")],
    group: Annotated[Line, Query(description="From `GET /dead-letters`")],
) -> list[RedriveOutcome]:
    """Say what `pappus dlq redrive --topic TOPIC --group GROUP` would do with each message; nothing is published. Needs
    the role `operator`."""
    return await service.log_watch.rehearse_redrive(topic, group)
