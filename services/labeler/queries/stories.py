"""Queries about what led to a model, and where an image went."""

from typing import Any
from uuid import UUID

from services.labeler.queries import models
from services.labeler.queries.withdrawals import withdrawal
from shared.clients.lineage import HoldingModel, ImageStory, LearnedCorrection, ModelStory, TimeInService
from shared.contract.events import ModelTrained
from shared.contract.split import side
from shared.tables.database import Database
from shared.tables.postgres import Row

_HISTORY = "history.event_id, history.label_to, history.corrected_by, history.occurred_at, history.reason"


async def model_story(database: Database, version: str, limit: int) -> ModelStory | None:
    """Return a model and what led to it, with at most `limit` of its corrections; None if there is none."""
    view = await models.model(database, version)
    if view is None:
        return None
    trained = ModelTrained.model_validate(
        await database.fetchval("SELECT event FROM models WHERE version = $1", version)
    )
    learned = [_learned(row) for row in await database.fetch(_LEARNED, version, limit)]
    causes = await database.fetch(
        f"""SELECT image_id, revision, true AS is_new, {_HISTORY} FROM label_history history
            WHERE event_id = ANY($1::uuid[]) ORDER BY occurred_at, event_id""",  # noqa: S608 - constant
        list(trained.causes),
    )
    served = await database.fetch(
        """SELECT * FROM (SELECT sequence, version, promoted_at AS since,
                                 lead(promoted_at) OVER (ORDER BY sequence) AS until
                          FROM promotions WHERE counts) times
           WHERE version = $1 ORDER BY sequence""",
        version,
    )
    values: dict[str, Any] = {
        **view.model_dump(),
        "causes": list(trained.causes),
        "caused_by": [_learned(row) for row in causes],
        "learned": learned,
        "new_corrections": await database.fetchval(_NEW, version),
        "parameters": trained.parameters,
        "served": [TimeInService(**{name: row[name] for name in TimeInService.model_fields}) for row in served],
    }
    return ModelStory.model_validate(values)


_HELD = """
SELECT held.image_id, held.revision,
       (held.image_id, held.revision) NOT IN (
           SELECT before.image_id, before.revision
           FROM models parents
           CROSS JOIN held_corrections(parents.version) AS before
           WHERE parents.version = (SELECT parent FROM models WHERE version = $1)) AS is_new
FROM held_corrections($1) AS held
"""
_LEARNED = f"""
SELECT held.*, {_HISTORY} FROM ({_HELD}) held
LEFT JOIN label_history history
       ON (history.image_id, history.revision) = (held.image_id, held.revision) AND history.applied
ORDER BY is_new DESC, history.occurred_at DESC NULLS LAST, held.image_id LIMIT $2
"""  # noqa: S608 - constants
_NEW = f"SELECT count(*) FROM ({_HELD}) held WHERE is_new"  # noqa: S608 - constant


async def image_story(database: Database, image_id: UUID, limit: int) -> ImageStory | None:
    """Return where an image went, with at most `limit` models; None if no event names it."""
    image = await database.fetchrow("SELECT group_id, joins FROM images WHERE image_id = $1", image_id)
    if image is None:
        return None
    duplicates = await database.fetch(
        "SELECT image_id FROM images WHERE duplicate_of = $1 AND stored_at IS NULL ORDER BY image_id", image_id
    )
    near = await database.fetch(
        "SELECT image_id FROM images WHERE group_id = ANY($1) AND image_id <> $2 ORDER BY image_id LIMIT $3",
        image["joins"] or [image["group_id"]],
        image_id,
        limit,
    )
    holding = await database.fetch(_HOLDING, image_id)
    return ImageStory(
        image_id=image_id,
        side=None if image["group_id"] is None or image["joins"] else side(image["group_id"]),
        duplicates=[row["image_id"] for row in duplicates],
        near_duplicates=[row["image_id"] for row in near],
        models=[HoldingModel(**dict(row)) for row in holding[:limit]],
        holding=len(holding),
        withdrawal=await withdrawal(database, image_id),
    )


_HOLDING = """
SELECT models.version, models.lane, held.revision, models.trained_at,
       (SELECT min(promoted_at) FROM promotions WHERE counts AND version = models.version) AS served_from
FROM models JOIN models_holding($1) AS held USING (version) ORDER BY models.trained_at DESC, models.version
"""


def _learned(row: Row) -> LearnedCorrection:
    return LearnedCorrection(
        image_id=row["image_id"],
        revision=row["revision"],
        is_new=row["is_new"],
        event_id=row["event_id"],
        label=row["label_to"],
        corrected_by=row["corrected_by"],
        corrected_at=row["occurred_at"],
        reason=row["reason"],
    )
