"""Routes about many models at once, and about how two of them differ."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.labeler.api.problems import error_responses
from services.labeler.api.service import AnyUser, AppContext, CurrentService
from services.labeler.commands.outcomes import Refused
from services.labeler.fields import Key
from services.labeler.queries import model_history, models
from services.labeler.queries.data_sets import LostDataSet, data_difference
from services.labeler.queries.learning_curve import learning_curve
from shared.clients.answers import ModelView
from shared.clients.model_history import (
    MAX_GENERATIONS,
    MAX_POINTS,
    DataDifference,
    Generation,
    LearningCurve,
    ModelComparison,
    PromotionPoint,
)

router = APIRouter(prefix="/models", tags=["models"])
Version = Annotated[Key, Path(description="From `GET /models`")]
Against = Annotated[Key, Path(description="Another version")]


@router.get("/generations", summary="List the full models with what stands on them", responses=error_responses(422))
async def list_generations(
    service: CurrentService,
    _user: AnyUser,
    limit: Annotated[int, Query(ge=1, le=MAX_GENERATIONS, description="How many full models at most")] = 20,
) -> list[Generation]:
    """List the full models, newest first, each with how many versions with more corrections stand on it, and the newest
    of them."""
    return await model_history.generations(service.database, limit)


@router.get("/promotions", summary="List the promotions", responses=error_responses(422))
async def list_promotions(
    service: CurrentService,
    _user: AnyUser,
    limit: Annotated[int, Query(ge=1, le=MAX_POINTS, description="How many promotions at most")] = 500,
) -> list[PromotionPoint]:
    """List the newest promotions, oldest first, each with the accuracy of its version: rollbacks and freezes, too."""
    return await model_history.promotion_points(service.database, limit)


@router.get("/learning-curve", summary="Show accuracy over the number of labels", responses=error_responses())
async def get_learning_curve(service: CurrentService, _user: AnyUser) -> LearningCurve:
    """Show how accuracy on the test images went with the number of labels, and what the last labels brought, with its
    95 % interval. Nothing is foretold."""
    return await learning_curve(service.database)


@router.get("/{version}/versions", summary="List what stands on a full model", responses=error_responses(404, 422))
async def list_versions_on(
    service: CurrentService,
    _user: AnyUser,
    version: Version,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many models at most")] = 50,
) -> list[ModelView]:
    """List the versions with more corrections that stand on a full model, newest first."""
    await _refuse_unknown(service, version)
    return await model_history.versions_on(service.database, version, limit)


@router.get("/{version}/against/{other}", summary="Compare two models", responses=error_responses(404, 422))
async def compare_models(service: CurrentService, _user: AnyUser, version: Version, other: Against) -> ModelComparison:
    """Name the test images that the first model has right and the second has wrong, and the other way round: the
    verdicts between the two, added up."""
    await _refuse_unknown(service, version, other)
    return await model_history.comparison(service.database, version, other)


@router.get("/{version}/data-against/{other}", summary="Compare two data sets", responses=error_responses(404, 422))
async def get_data_difference(
    service: CurrentService,
    _user: AnyUser,
    version: Version,
    other: Against,
    limit: Annotated[int, Query(ge=0, le=1000, description="How many images at most")] = 24,
) -> DataDifference:
    """Show from which images the first model has learned and the second has not, and so on, with their labels."""
    await _refuse_unknown(service, version, other)
    try:
        return await data_difference(service.database, service.store, version, other, limit)
    except LostDataSet as lost:
        raise Refused("data_set_lost", str(lost)) from lost


async def _refuse_unknown(service: AppContext, *versions: str) -> None:
    for version in versions:
        if not await models.model_known(service.database, version):
            raise Refused("model_unknown", f"There is no model {version!r}. `pappus history` lists them.")
