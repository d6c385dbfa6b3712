"""Queries about accuracy over the number of labels."""

from collections.abc import Sequence

from services.labeler.decisions.learning_curve import (
    LEAST,
    Served,
    count_labels,
    earlier_version,
    judge_step,
    thin_out,
)
from services.labeler.queries.model_history import differing_images
from shared.clients.model_history import CurvePoint, LastLabels, LearningCurve
from shared.contract.intervals import wilson_interval
from shared.tables.database import Database

MOST_SERVED = 2000
"""The most versions that are looked at, the newest ones."""
MOST_POINTS = 60

_SERVED = """
WITH first AS (
    SELECT version, min(sequence) AS sequence FROM promotions WHERE counts GROUP BY version
    ORDER BY sequence DESC LIMIT $1)
SELECT first.version, first.sequence, models.lane = 'full' AS full, models.parent,
       (models.event ->> 'training_images')::int AS training_images,
       CASE jsonb_typeof(models.event -> 'corrections') WHEN 'array'
            THEN jsonb_array_length(models.event -> 'corrections')
            ELSE coalesce((models.event ->> 'holds')::int, 0) END AS corrections,
       coalesce(tested."right", 0)::int AS "right", coalesce(tested.images, 0)::int AS images
FROM first JOIN models USING (version) JOIN promotions ON counts AND promotions.sequence = first.sequence
CROSS JOIN LATERAL (
    SELECT sum((class ->> 'right')::int) AS "right", sum((class ->> 'images')::int) AS images
    FROM jsonb_path_query(promotions.event, '$.evidence.classes[*]') AS class) tested
ORDER BY first.sequence
"""
_CHAMPION = "SELECT version FROM promotions WHERE counts ORDER BY sequence DESC LIMIT 1"


async def learning_curve(database: Database) -> LearningCurve:
    """Return how accuracy went with the number of labels, and what the last labels brought."""
    served = [Served(**dict(row.items())) for row in await database.fetch(_SERVED, MOST_SERVED)]
    labels = count_labels(served)
    points = [_point(each, labels[each.version]) for each in thin_out(served, labels, MOST_POINTS)]
    champion = await database.fetchval(_CHAMPION)
    last, why_none = await _last_labels(database, served, champion, labels)
    return LearningCurve(points=points, last=last, why_none=why_none)


async def _last_labels(
    database: Database, served: Sequence[Served], champion: str | None, labels: dict[str, int]
) -> tuple[LastLabels | None, str]:
    serving = next((each for each in served if each.version == champion), None)
    if serving is None:
        return None, "No model is in service yet."
    if not serving.images or serving.version not in labels:
        return None, f"{serving.version} was put into service without being measured."
    since = earlier_version(served, serving.version, labels)
    if since is None:
        return None, f"From {LEAST} new labels on, what they brought is shown here."
    gained, lost, why = await differing_images(database, serving.version, since)
    if why:
        return None, f"{serving.version} and {since} cannot be compared in full. {why}"
    low, high, verdict = judge_step(len(gained), len(lost), serving.images)
    return (
        LastLabels(
            since=since,
            labels=labels[serving.version] - labels[since],
            images=serving.images,
            gained=len(gained),
            lost=len(lost),
            low=low,
            high=high,
            verdict=verdict,
        ),
        "",
    )


def _point(each: Served, labels: int) -> CurvePoint:
    low, high = wilson_interval(each.right, each.images)
    return CurvePoint(
        version=each.version,
        sequence=each.sequence,
        labels=labels,
        images=each.images,
        right=each.right,
        accuracy=each.right / each.images,
        low=low,
        high=high,
    )
