"""The table of predictions: the fold of prediction.logged."""

from datetime import datetime

from shared.contract.events import PredictionLogged
from shared.tables.database import Database
from shared.tables.projection import Projector, Transaction, on_event
from shared.tables.replay import ReplayPlan

SCHEMA = "predictor"
MIGRATIONS = "services.predictor.data.sql"
FOLD_VERSION = 1
"""Raised when events that are folded already would give other rows; people then run `pappus replay`."""


async def apply_prediction_logged(event: PredictionLogged, transaction: Transaction) -> None:
    """Insert one row for one prediction; a repetition changes nothing."""
    await transaction.execute(
        """INSERT INTO predictions (prediction_id, occurred_at, model_name, model_version, source, image_id, sha256,
                                    label, probabilities, corrections, projection, milliseconds, replica)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
           ON CONFLICT (prediction_id) DO NOTHING""",
        event.prediction_id,
        event.occurred_at,
        event.model_name,
        event.model_version,
        event.source,
        event.image_id,
        event.sha256,
        event.label,
        event.probabilities,
        list(event.corrections),
        list(event.projection),
        event.milliseconds,
        event.replica,
    )


def projectors() -> list[Projector]:
    """Return the projectors of the schema."""
    return [on_event(PredictionLogged, apply_prediction_logged)]


async def delete_before(database: Database, moment: datetime) -> int:
    """Delete the predictions before `moment` and return how many. Kafka deletes them from the topic as well."""
    deleted: str = await database.execute("DELETE FROM predictions WHERE occurred_at < $1", moment)
    return int(deleted.rsplit(" ", 1)[-1])


def replay_plan() -> ReplayPlan:
    """Return the plan of `python -m services.replay predictor`. Rows that expired on their topic stay."""
    return ReplayPlan(SCHEMA, MIGRATIONS, projectors(), expiring=("predictions",), fold_version=FOLD_VERSION)
