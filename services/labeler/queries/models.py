"""Queries about models, promotions and requests to the gate."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.labeler.queries.watching import accuracy_of, accuracy_since_full, drifts
from shared.clients.answers import ChampionView, ModelView, PromotionView
from shared.contract.events import ModelPromoted, ModelRejected, VerdictEvidence
from shared.contract.first_model import what_is_missing
from shared.contract.split import Side, side
from shared.tables.database import Database
from shared.tables.postgres import Row

SHOWN_DRIFTS = 3

_MODELS = """
SELECT models.version, models.lane, models.parent, models.trained_at, models.event AS trained,
       promotion.sequence, promotion.events AS promoted, rejection.event AS rejected,
       promotion.sequence = (SELECT max(sequence) FROM promotions WHERE counts) AS champion, trials.event AS tried
FROM models LEFT JOIN trials USING (version)
LEFT JOIN LATERAL (SELECT max(sequence) AS sequence, array_agg(event ORDER BY sequence) AS events
                   FROM promotions WHERE version = models.version AND counts) promotion ON true
LEFT JOIN LATERAL (SELECT * FROM rejections WHERE version = models.version AND answers IS NULL
                   ORDER BY rejected_at DESC, event_id LIMIT 1) rejection ON true
"""


_FREEZE = """
SELECT event FROM promotions
WHERE counts AND sequence > (SELECT coalesce(max(sequence), 0) FROM promotions
                             WHERE counts AND NOT coalesce((event ->> 'frozen')::boolean, false))
ORDER BY sequence LIMIT 1
"""
"""The first promotion of those that have been frozen without a break."""


async def models(database: Database, limit: int) -> list[ModelView]:
    """Return the newest `limit` models, newest first."""
    return await models_where(database, "true ORDER BY models.trained_at DESC, models.version LIMIT $1", limit)


async def models_where(database: Database, condition: str, *values: object) -> list[ModelView]:
    """Return the models for which `condition`, constant SQL, holds of these `values`; it may say in which order."""
    rows = await database.fetch(f"{_MODELS} WHERE {condition}", *values)
    live = await accuracy_of(database, [row["version"] for row in rows])
    return [_model(row).model_copy(update={"live": live.get(row["version"])}) for row in rows]


async def model(database: Database, version: str) -> ModelView | None:
    """Return the model with this version, with what its verdict rests on; None if it was not trained."""
    row = await database.fetchrow(f"{_MODELS} WHERE models.version = $1", version)
    if row is None:
        return None
    live = await accuracy_of(database, [version])
    verdict = _verdict(row) or {}
    return _model(row).model_copy(
        update={
            "live": live.get(version),
            "evidence": VerdictEvidence.model_validate(found) if (found := verdict.get("evidence")) else None,
        }
    )


async def champion(database: Database) -> ChampionView | None:
    """Return the model in service; None before the first promotion, or before its model.trained is projected."""
    row = await database.fetchrow(
        f"{_MODELS} WHERE promotion.sequence = (SELECT max(sequence) FROM promotions WHERE counts)"  # noqa: S608 - constant
    )
    if row is None:
        return None
    newest = row["promoted"][-1]
    freeze = await database.fetchval(_FREEZE) if newest["frozen"] else None
    live = await accuracy_of(database, [row["version"]])
    return ChampionView(
        **{**_model(row).model_dump(), "live": live.get(row["version"])},
        live_since_full=await accuracy_since_full(database),
        drifts=await drifts(database, SHOWN_DRIFTS, open_only=True),
        frozen=newest["frozen"],
        requested_by=newest["requested_by"],
        freeze=None if freeze is None else _promotion(freeze),
    )


async def missing_for_first_model(
    database: Database, labels: Sequence[str], images_per_label: int, names: Mapping[str, str]
) -> str | None:
    """Return in a sentence which images the first model lacks, in the `names` of labels; None if there are enough."""
    rows = await database.fetch(
        """SELECT label, group_id, count(*) AS images FROM current_images
           WHERE stored_at IS NOT NULL AND withdrawn_at IS NULL AND label_of IS NULL AND joins = '{}'
             AND trust IN ('seed', 'reviewed') GROUP BY 1, 2"""
    )
    counts: dict[str, Counter[Side | None]] = {label: Counter() for label in labels}
    for row in rows:
        if row["label"] in counts:
            counts[row["label"]][side(row["group_id"])] += row["images"]
    return what_is_missing(counts, labels, images_per_label, names)


async def model_known(database: Database, version: str) -> bool:
    """Return whether this version was trained."""
    return bool(await database.fetchval("SELECT EXISTS (SELECT FROM models WHERE version = $1)", version))


async def request_known(database: Database, event_id: UUID) -> bool:
    """Return whether the tables show this promotion.requested."""
    return bool(await database.fetchval("SELECT EXISTS (SELECT FROM promotion_requests WHERE event_id = $1)", event_id))


async def answer(database: Database, event_id: UUID) -> ModelPromoted | ModelRejected | None:
    """Return the gate's answer to a promotion.requested: a counting promotion, or a rejection; None before the
    answer."""
    promoted = await database.fetchval("SELECT event FROM promotions WHERE answers = $1 AND counts", event_id)
    if promoted is not None:
        return ModelPromoted.model_validate(promoted)
    rejected = await database.fetchval(
        "SELECT event FROM rejections WHERE answers = $1 ORDER BY rejected_at, event_id LIMIT 1", event_id
    )
    return None if rejected is None else ModelRejected.model_validate(rejected)


def _model(row: Row) -> ModelView:
    trained, promoted, verdict = row["trained"], row["promoted"] or [], _verdict(row)
    said = verdict or row["tried"]
    if row["champion"]:
        state = "champion"
    elif promoted:
        state = "former"
    else:
        state = "candidate" if row["rejected"] is None else "rejected"
    return ModelView.model_validate(
        {
            "version": row["version"],
            "lane": row["lane"],
            "parent": row["parent"],
            "state": state,
            "sequence": row["sequence"],
            "summary": said["summary"] if said else "No verdict yet.",
            "verdict": said["verdict"] if said else [],
            "metrics": trained["metrics"],
            "training_images": trained["training_images"],
            "test_images": trained["test_images"],
            "corrections": _held_count(trained),
            "seconds": trained["seconds"],
            "trained_at": row["trained_at"],
            "promoted_at": promoted[-1]["occurred_at"] if promoted else None,
            "promotions": [_promotion(event) for event in promoted],
            "waits_for_approval": not promoted and bool((verdict or {}).get("waits_for_approval")),
        }
    )


def _held_count(trained: Mapping[str, Any]) -> int:
    listed = trained["corrections"]
    return int(trained.get("holds", 0)) if listed is None else len(listed)


def _verdict(row: Row) -> Mapping[str, Any] | None:
    """Return the verdict on the candidate as an event: its first promotion, or its rejection; None if there is none."""
    verdict: Mapping[str, Any] | None = row["promoted"][0] if row["promoted"] else row["rejected"]
    return verdict


def _promotion(event: Mapping[str, Any]) -> PromotionView:
    return PromotionView.model_validate({**event, "promoted_at": event["occurred_at"]})
