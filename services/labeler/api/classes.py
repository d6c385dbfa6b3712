"""Routes about the classes: list them, and let an operator add one or give one another name."""

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from services.labeler.accounts.sessions import Principal
from services.labeler.api.audited import audited
from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, CurrentService, IdempotencyKey, Operator
from services.labeler.commands import classes as commands
from services.labeler.fields import Label, Text
from services.labeler.queries.classes import class_views
from shared.clients.answers import Accepted
from shared.clients.classes import ClassChanged, ClassView
from shared.http.bodies import JsonBody

router = APIRouter(prefix="/classes", tags=["classes"])
FOR_OPERATORS = "Needs the role `operator`."
ClassId = Annotated[Label, Path(description="From `GET /classes`, or a name of the class")]


class ClassBody(BaseModel):
    """What a class is called, and why, which is kept with the change."""

    name: Annotated[Label, Field(min_length=1)]
    reason: Text = ""


@router.get("", summary="List the classes", responses=error_responses())
async def get_classes(service: CurrentService, _user: AnyUser) -> list[ClassView]:
    """List the classes that an image can have, each with its names, how many images have it, and whether the model in
    service has learned it."""
    return await class_views(service.database, await service.command_bus.classes())


@router.post(
    "",
    summary="Add a class",
    description=f"From this moment on images can have it. {FOR_OPERATORS}",
    responses={
        200: {"description": "Images can have it now"},
        202: {"model": Accepted, "description": "Accepted; not shown yet"},
        **error_responses(400, 403, 409, 422),
    },
)
async def add_class(
    service: CurrentService,
    user: Operator,
    response: Response,
    body: JsonBody[ClassBody],
    idempotency_key: IdempotencyKey = None,
) -> ClassChanged | Accepted:
    """See the description."""
    work = commands.add_class(service.command_bus, body.name, body.reason, user.name, idempotency_key)
    return await _changed("add_class", body.name, user, response, work)


@router.patch(
    "/{class_id:path}",
    summary="Rename a class",
    description="Change what people read. Its label in answers and events stays: the first name of the class. Requests"
    f" may use any name that it ever had. {FOR_OPERATORS}",
    responses={
        200: {"description": "It is called so now"},
        202: {"model": Accepted, "description": "Accepted; not shown yet"},
        **error_responses(400, 403, 404, 409, 422),
    },
)
async def rename_class(
    service: CurrentService,
    user: Operator,
    response: Response,
    class_id: ClassId,
    body: JsonBody[ClassBody],
    idempotency_key: IdempotencyKey = None,
) -> ClassChanged | Accepted:
    """See the description."""
    work = commands.rename_class(service.command_bus, class_id, body.name, body.reason, user.name, idempotency_key)
    return await _changed("rename_class", class_id, user, response, work)


async def _changed(
    act: str, on: str, user: Principal, response: Response, work: Awaitable[ClassChanged | Accepted]
) -> ClassChanged | Accepted:
    done = await audited(act, on, user, work)
    if isinstance(done, Accepted):
        response.status_code = 202
    return done
