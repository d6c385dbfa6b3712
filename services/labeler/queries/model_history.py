"""Queries about many models at once, and about two of them."""

from collections.abc import Sequence
from uuid import UUID

from services.labeler.decisions.model_lines import add_up, verdicts_between, versions_before
from services.labeler.queries.models import models_where
from shared.clients.answers import ModelView
from shared.clients.model_history import ComparedImage, Generation, ModelComparison, PromotionPoint
from shared.contract.events import VerdictEvidence
from shared.tables.database import Database

MOST_VERDICTS = 2000
"""The most verdicts that are added up to compare two versions."""

_STANDING_ON = """
WITH RECURSIVE standing AS (
    SELECT version, version AS base, 0 AS depth FROM models WHERE version = ANY($1)
    UNION ALL
    SELECT models.version, base, depth + 1 FROM standing JOIN models ON models.parent = standing.version
    WHERE models.lane = 'fast'
)
"""
_COUNTS = f"""
{_STANDING_ON}
SELECT base, count(*) FILTER (WHERE depth > 0)::int AS versions,
       count(sequence) FILTER (WHERE depth > 0)::int AS served,
       count(*) FILTER (WHERE depth > 0 AND sequence IS NULL AND rejected)::int AS rejected,
       (array_agg(version ORDER BY sequence DESC) FILTER (WHERE depth > 0 AND sequence IS NOT NULL))[1] AS newest
FROM standing
CROSS JOIN LATERAL (SELECT max(sequence) AS sequence FROM promotions
                    WHERE counts AND promotions.version = standing.version) promoted
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM rejections WHERE rejections.version = standing.version
                                   AND answers IS NULL) AS rejected) refused
GROUP BY base
"""  # noqa: S608 - constants


async def generations(database: Database, limit: int) -> list[Generation]:
    """Return the newest `limit` full models, newest first, each with what stands on it."""
    full = await models_where(database, "lane = 'full' ORDER BY models.trained_at DESC, models.version LIMIT $1", limit)
    rows = await database.fetch(_COUNTS, [model.version for model in full])
    counts = {row["base"]: row for row in rows}
    wanted = [row["newest"] for row in rows if row["newest"] is not None]
    newest = {model.version: model for model in await models_where(database, "models.version = ANY($1)", wanted)}
    return [
        Generation(
            model=model,
            versions=counts[model.version]["versions"],
            served=counts[model.version]["served"],
            rejected=counts[model.version]["rejected"],
            newest=newest.get(counts[model.version]["newest"]),
        )
        for model in full
        if model.version in counts
    ]


async def versions_on(database: Database, version: str, limit: int) -> list[ModelView]:
    """Return the newest `limit` models that stand on a full one, newest first."""
    rows = await database.fetch(
        f"""{_STANDING_ON} SELECT models.version FROM standing JOIN models USING (version)
            WHERE depth > 0 ORDER BY trained_at DESC, models.version LIMIT $2""",  # noqa: S608 - constant
        [version],
        limit,
    )
    return await models_where(
        database,
        "models.version = ANY($1) ORDER BY models.trained_at DESC, models.version",
        [r["version"] for r in rows],
    )


_POINTS = """
SELECT sequence, version, event ->> 'lane' AS lane, event ->> 'route' AS route,
       event ->> 'requested_by' AS requested_by, event ->> 'summary' AS summary,
       coalesce((event ->> 'frozen')::boolean, false) AS frozen, promoted_at,
       (jsonb_path_query_first(event, '$.verdict[*] ? (@.rule == "accuracy").figures.accuracy') #>> '{}')::float8
           AS measured
FROM promotions WHERE counts ORDER BY sequence DESC LIMIT $1
"""
_MEASURED = """
SELECT DISTINCT ON (version) version,
       (coalesce(jsonb_path_query_first(promotions.event, '$.verdict[*] ? (@.rule == "accuracy").figures.accuracy'),
                 models.event -> 'metrics' -> 'test_accuracy') #>> '{}')::float8 AS accuracy
FROM promotions JOIN models USING (version) WHERE counts AND version = ANY($1) ORDER BY version, sequence
"""


async def promotion_points(database: Database, limit: int) -> list[PromotionPoint]:
    """Return the newest `limit` promotions that count, oldest first. One that measured nothing, as a freeze does, has
    the accuracy that its version was promoted with first."""
    rows = await database.fetch(_POINTS, limit)
    unmeasured = sorted({row["version"] for row in rows if row["measured"] is None})
    known = {row["version"]: row["accuracy"] for row in await database.fetch(_MEASURED, unmeasured)}
    return [
        PromotionPoint(
            **{name: row[name] for name in PromotionPoint.model_fields if name != "accuracy"},
            accuracy=row["measured"] if row["measured"] is not None else known.get(row["version"]),
        )
        for row in reversed(rows)
    ]


async def comparison(database: Database, version: str, against: str) -> ModelComparison:
    """Return the test images that two known versions answer differently."""
    gained, lost, why = await differing_images(database, version, against)
    labels = await database.fetch("SELECT image_id, label FROM current_images WHERE image_id = ANY($1)", gained + lost)
    label_of = {row["image_id"]: row["label"] for row in labels}
    return ModelComparison(
        version=version,
        against=against,
        gained=[ComparedImage(image_id=image, label=label_of.get(image)) for image in gained],
        lost=[ComparedImage(image_id=image, label=label_of.get(image)) for image in lost],
        why_incomplete=why,
    )


async def differing_images(database: Database, version: str, against: str) -> tuple[list[UUID], list[UUID], str]:
    """Return the test images that a known version has right and another wrong, those the other way round, and why these
    may not be all, else an empty text."""
    promoted = await database.fetch("SELECT version FROM promotions WHERE counts ORDER BY sequence")
    before = versions_before([row["version"] for row in promoted])
    for each in (version, against):
        if each not in before:
            before[each] = await database.fetchval(_CHAMPION_WHEN_REJECTED, each)
    ahead, behind = verdicts_between(before, version, against)
    found = await _evidence(database, [*ahead, *behind][:MOST_VERDICTS])
    gained, lost, complete = add_up([found.get(each) for each in ahead], [found.get(each) for each in behind])
    return gained, lost, "" if complete else _why_incomplete(ahead, behind, found)


_CHAMPION_WHEN_REJECTED = """
SELECT version FROM promotions
WHERE counts AND promoted_at <= coalesce(
    (SELECT max(rejected_at) FROM rejections WHERE version = $1 AND answers IS NULL), 'infinity')
ORDER BY sequence DESC LIMIT 1
"""
_EVIDENCE = """
SELECT DISTINCT ON (version) version, event -> 'evidence' AS evidence
FROM (SELECT version, event, sequence FROM promotions WHERE counts AND version = ANY($1)
      UNION ALL SELECT version, event, NULL FROM rejections WHERE answers IS NULL AND version = ANY($1)) verdicts
WHERE jsonb_typeof(event -> 'evidence') = 'object' ORDER BY version, sequence NULLS LAST
"""


async def _evidence(database: Database, versions: Sequence[str]) -> dict[str, VerdictEvidence]:
    """Return what the verdicts on these versions rest on, for those that were measured."""
    rows = await database.fetch(_EVIDENCE, list(versions))
    return {row["version"]: VerdictEvidence.model_validate(row["evidence"]) for row in rows}


def _why_incomplete(ahead: Sequence[str], behind: Sequence[str], found: dict[str, VerdictEvidence]) -> str:
    missing = [each for each in (*ahead, *behind) if each not in found]
    if not missing:
        return "There are more: a verdict names at most 100 images."
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"There may be more: the verdict on {missing[0]}{others} names no images."
