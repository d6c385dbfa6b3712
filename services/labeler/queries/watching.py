"""Queries about drifts and about how often people agree with the model."""

from collections.abc import Sequence
from datetime import datetime

from shared.clients.answers import DriftView, LiveAccuracy
from shared.contract.events import DriftDetected
from shared.contract.intervals import wilson_interval
from shared.tables.database import Database
from shared.tables.postgres import Row

_ANSWERED = """
SELECT max(coalesce((models.event ->> 'manifest_cut_at')::timestamptz, trained_at))
FROM models JOIN promotions USING (version) WHERE lane = 'full' AND counts
"""
"""Up to when drifts are answered: the cut of the newest full training whose model came into service."""


async def drifts(database: Database, limit: int, *, open_only: bool = False) -> list[DriftView]:
    """Return the newest `limit` drifts, newest first; `open_only`: those that no full model in service has answered."""
    answered: datetime | None = await database.fetchval(_ANSWERED)
    rows = await database.fetch(
        """SELECT event, coalesce(detected_at > $1, true) AS open FROM drifts
           WHERE NOT $2 OR coalesce(detected_at > $1, true) ORDER BY detected_at DESC, event_id LIMIT $3""",
        answered,
        open_only,
        limit,
    )
    return [_drift(row) for row in rows]


async def drifted_since(database: Database) -> datetime | None:
    """Return since when pictures are others than those of the last full training; None if they are not. Images stored
    since then are those that the next one has to learn."""
    found = await drifts(database, 100, open_only=True)
    return min((drift.window_from for drift in found if drift.statistic == "features"), default=None)


async def accuracy_since_full(database: Database) -> LiveAccuracy:
    """Return how often people agreed with the versions in service since the last full model was promoted: that model,
    and those with later corrections."""
    row = await database.fetchrow(
        """SELECT coalesce(sum(agreed), 0)::int AS agreed, coalesce(sum(answers), 0)::int AS answers FROM shown_answers
           WHERE version IN (
               SELECT version FROM promotions
               WHERE counts AND sequence >= (SELECT max(sequence) FROM promotions
                                             WHERE counts AND event ->> 'lane' = 'full'))"""
    )
    return live_accuracy(0, 0) if row is None else live_accuracy(row["agreed"], row["answers"])


async def accuracy_of(database: Database, versions: Sequence[str]) -> dict[str, LiveAccuracy]:
    """Return how often people agreed with these versions, for those with which anyone did or did not."""
    rows = await database.fetch("SELECT * FROM shown_answers WHERE version = ANY($1)", list(versions))
    return {row["version"]: live_accuracy(row["agreed"], row["answers"]) for row in rows}


def live_accuracy(agreed: int, answers: int) -> LiveAccuracy:
    """Return the share with its interval."""
    low, high = wilson_interval(agreed, answers)
    share = agreed / answers if answers else None
    return LiveAccuracy(answers=answers, agreed=agreed, share=share, low=low, high=high)


def _drift(row: Row) -> DriftView:
    event = DriftDetected.model_validate(row["event"])
    return DriftView(
        event_id=event.event_id,
        statistic=event.statistic,
        model_version=event.model_version,
        detected_at=event.occurred_at,
        window_from=event.window_from,
        answers=event.answers,
        value=event.value,
        threshold=event.threshold,
        figures=event.figures,
        open=row["open"],
    )
