"""Models: reading them, and what an operator may ask for."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from services.labeler.accounts.sessions import Principal
from services.labeler.api.metrics import measured
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, AppContext, CurrentService, IdempotencyKey, Operator
from services.labeler.commands.outcomes import Accepted, Answered, Refused
from services.labeler.commands.promotions import Action, ask_gate, ask_training
from services.labeler.fields import Key, Text
from services.labeler.queries import models
from services.labeler.views import ChampionView, ModelView

router = APIRouter(tags=["models"])
_ASKED = {202: {"model": Accepted, "description": "Asked; no answer yet"}, **error_responses(400, 403, 404, 422)}


class ReasonBody(BaseModel):
    """The reason a person gives; it is kept for ever."""

    reason: Text


class VersionReasonBody(ReasonBody):
    """A wish about one version, and the reason."""

    version: Key


@router.get("/models", responses=error_responses(422))
async def list_models(
    service: CurrentService, _user: AnyUser, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> list[ModelView]:
    """The models that were trained, newest first."""
    return await models.models(service.database, limit)


@router.get("/models/champion", responses=error_responses(404))
async def champion(service: CurrentService, _user: AnyUser) -> ChampionView:
    """The model in service."""
    found = await models.champion(service.database)
    if found is None:
        raise Refused("model_unknown", "No model has been promoted yet. Label images, then ask for a training.")
    return found


@router.post("/models/rollback", responses=_ASKED)
async def roll_back(
    service: CurrentService,
    user: Operator,
    response: Response,
    wish: VersionReasonBody,
    idempotency_key: IdempotencyKey = None,
) -> Answered | Accepted:
    """Put this version back into service, and freeze."""
    return await _ask(service, user, response, "rollback", wish.version, wish.reason, idempotency_key)


@router.post("/models/approve", responses=_ASKED)
async def approve(
    service: CurrentService,
    user: Operator,
    response: Response,
    wish: VersionReasonBody,
    idempotency_key: IdempotencyKey = None,
) -> Answered | Accepted:
    """Promote a candidate the gate would promote if asked now, for example one that came while promotions were
    frozen."""
    return await _ask(service, user, response, "approve", wish.version, wish.reason, idempotency_key)


@router.post("/models/override", responses=_ASKED)
async def override(
    service: CurrentService,
    user: Operator,
    response: Response,
    wish: VersionReasonBody,
    idempotency_key: IdempotencyKey = None,
) -> Answered | Accepted:
    """Put this version into service against the verdict."""
    return await _ask(service, user, response, "override", wish.version, wish.reason, idempotency_key)


@router.post("/models/freeze", responses=_ASKED)
async def freeze(
    service: CurrentService,
    user: Operator,
    response: Response,
    wish: ReasonBody,
    idempotency_key: IdempotencyKey = None,
) -> Answered | Accepted:
    """Promote nothing until somebody unfreezes."""
    return await _ask(service, user, response, "freeze", None, wish.reason, idempotency_key)


@router.post("/models/unfreeze", responses=_ASKED)
async def unfreeze(
    service: CurrentService,
    user: Operator,
    response: Response,
    wish: ReasonBody,
    idempotency_key: IdempotencyKey = None,
) -> Answered | Accepted:
    """Let candidates be promoted again."""
    return await _ask(service, user, response, "unfreeze", None, wish.reason, idempotency_key)


@router.post("/trainings", status_code=202, responses=error_responses(400, 403, 422))
async def train(
    service: CurrentService, user: Operator, wish: ReasonBody, idempotency_key: IdempotencyKey = None
) -> Accepted:
    """Ask for a training in full."""
    return await measured("train", ask_training(service.sending, wish.reason, user.name, idempotency_key))


async def _ask(
    service: AppContext,
    user: Principal,
    response: Response,
    action: Action,
    version: str | None,
    reason: str,
    key: str | None,
) -> Answered | Accepted:
    answer = await measured(action, ask_gate(service.sending, action, version, reason, user.name, key))
    if isinstance(answer, Accepted):
        response.status_code = 202
    return answer
