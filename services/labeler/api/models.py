"""Routes about models: list them, and let an operator command the gate or request a training."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from services.labeler.accounts.sessions import Principal
from services.labeler.api.audited import audited
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, AppContext, CurrentService, IdempotencyKey, Operator
from services.labeler.commands.outcomes import Refused
from services.labeler.commands.promotions import ask_gate, request_training
from services.labeler.fields import Key, Text
from services.labeler.queries import models, stories
from shared.clients.answers import Accepted, ChampionView, FirstModel, GateAnswer, ModelView
from shared.clients.labeler import GateAction
from shared.clients.lineage import ModelStory
from shared.http.bodies import JsonBody

router = APIRouter(tags=["models"])

VERSION_ACTIONS: dict[GateAction, tuple[str, str]] = {
    "rollback": ("Roll back", "Put this version back into service, and freeze promotions."),
    "approve": (
        "Approve a candidate",
        "Promote a candidate that the gate accepts now, for example one trained while promotions were frozen.",
    ),
    "override": ("Override the gate", "Put this version into service against the verdict."),
}
FREEZE_ACTIONS: dict[GateAction, tuple[str, str]] = {
    "freeze": ("Freeze promotions", "Promote nothing until an operator unfreezes."),
    "unfreeze": ("Unfreeze promotions", "Let candidates be promoted again."),
}
"""Summary and description of each action."""
FOR_OPERATORS = "Needs the role `operator`."


class ReasonBody(BaseModel):
    """The reason a person gives; it is kept in the history."""

    reason: Text


class VersionReasonBody(ReasonBody):
    """The version a request is about, and the reason."""

    version: Key


@router.get("/models", summary="List the models", responses=error_responses(422))
async def list_models(
    service: CurrentService,
    _user: AnyUser,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many models at most")] = 50,
) -> list[ModelView]:
    """List the models that were trained, newest first, each with the verdict of the gate."""
    return await models.models(service.database, limit)


@router.get("/models/champion", summary="Show the model in service", responses=error_responses(404))
async def get_champion(service: CurrentService, _user: AnyUser) -> ChampionView:
    """Show the champion, why it was promoted, and whether promotions are frozen."""
    found = await models.champion(service.database)
    if found is None:
        raise Refused("model_unknown", f"No model is in service yet. {await _why_none(service)}")
    return found


@router.get("/models/{version}/story", summary="Say what led to a model", responses=error_responses(404, 422))
async def get_model_story(
    service: CurrentService,
    _user: AnyUser,
    version: Annotated[Key, Path(description="From `GET /models`")],
    limit: Annotated[int, Query(ge=0, le=1000, description="How many corrections at most")] = 50,
) -> ModelStory:
    """Show a model with what it was made for, whose corrections it holds, its verdict, and when it served."""
    found = await stories.model_story(service.database, version, limit)
    if found is None:
        raise Refused("model_unknown", f"There is no model {version!r}. `pappus history` lists them.")
    return found


@router.get("/models/first", summary="Say what the first model waits for", responses=error_responses())
async def get_first_model(service: CurrentService, _user: AnyUser) -> FirstModel:
    """Say in a sentence which images the first model of this installation still needs."""
    return FirstModel(waits_for=await _why_none(service))


@router.get("/models/{version}", summary="Show one model", responses=error_responses(404, 422))
async def get_model(service: CurrentService, _user: AnyUser, version: Key) -> ModelView:
    """Show one model and the verdict on it: rule by rule, the test images it gained and lost, and each class."""
    found = await models.model(service.database, version)
    if found is None:
        raise Refused("model_unknown", f"There is no model {version!r}. `pappus history` lists them.")
    return found


async def _why_none(service: AppContext) -> str:
    settings, trained = service.settings, await models.models(service.database, 1)
    if trained:
        return "A model was trained; the gate has not promoted one. GET /models says why."
    names = (await service.command_bus.classes()).names
    missing = await models.missing_for_first_model(
        service.database, settings.labels, settings.first_images_per_label, names
    )
    return missing or "There are enough images: the first model is requested and trained now, which takes minutes."


def _version_route(action: GateAction) -> Callable[..., Awaitable[GateAnswer | Accepted]]:
    async def ask(
        service: CurrentService,
        user: Operator,
        response: Response,
        body: JsonBody[VersionReasonBody],
        idempotency_key: IdempotencyKey = None,
    ) -> GateAnswer | Accepted:
        return await _ask(service, user, response, action, body.version, body.reason, idempotency_key)

    return ask


def _freeze_route(action: GateAction) -> Callable[..., Awaitable[GateAnswer | Accepted]]:
    async def ask(
        service: CurrentService,
        user: Operator,
        response: Response,
        body: JsonBody[ReasonBody],
        idempotency_key: IdempotencyKey = None,
    ) -> GateAnswer | Accepted:
        return await _ask(service, user, response, action, None, body.reason, idempotency_key)

    return ask


async def _ask(
    service: AppContext,
    user: Principal,
    response: Response,
    action: GateAction,
    version: str | None,
    reason: str,
    key: str | None,
) -> GateAnswer | Accepted:
    work = ask_gate(service.command_bus, action, version, reason, user.name, key)
    answer = await audited(action, version, user, work)
    if isinstance(answer, Accepted):
        response.status_code = 202
    return answer


for _actions, _route in ((VERSION_ACTIONS, _version_route), (FREEZE_ACTIONS, _freeze_route)):
    for _action, (_summary, _description) in _actions.items():
        router.add_api_route(
            f"/models/{_action}",
            _route(_action),
            methods=["POST"],
            name=_action,
            summary=_summary,
            description=f"{_description} {FOR_OPERATORS}",
            responses={
                200: {"description": "The gate answered: promoted or rejected"},
                202: {"model": Accepted, "description": "Requested; no answer yet"},
                **error_responses(400, 403, 422, *(() if _route is _freeze_route else (404,))),
            },
        )


@router.post(
    "/trainings",
    status_code=202,
    summary="Request a training",
    response_description="Requested",
    responses=error_responses(400, 403, 422),
)
async def train(
    service: CurrentService, user: Operator, body: JsonBody[ReasonBody], idempotency_key: IdempotencyKey = None
) -> Accepted:
    """Request a full training; the new model, if any, follows minutes later. Needs the role `operator`."""
    work = request_training(service.command_bus, body.reason, user.name, idempotency_key)
    return await audited("train", service.settings.model_name, user, work)
