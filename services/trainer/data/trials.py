"""Questions about the trials of full candidates: which go on, what was compared, and what ended them."""

from uuid import UUID

from services.trainer.data.queries import Tables
from services.trainer.dataset.records import TrialCounts
from shared.contract.events import ModelPromoted
from shared.contract.trials import TrialStarted


async def open_trials(tables: Tables) -> list[TrialStarted]:
    """Return the trials whose candidate has no verdict yet, oldest first."""
    rows = await tables.fetch(
        """SELECT event FROM trials t
           WHERE NOT EXISTS (SELECT FROM rejections r WHERE r.cause = t.cause)
             AND NOT EXISTS (SELECT FROM promotions p WHERE p.version = t.version)
           ORDER BY number"""
    )
    return [TrialStarted.model_validate(row["event"]) for row in rows]


async def trial_of(tables: Tables, cause: UUID) -> TrialStarted | None:
    """Return the trial of the candidate that this model.trained announced; None if it had none."""
    event = await tables.fetchval("SELECT event FROM trials WHERE cause = $1", cause)
    return None if event is None else TrialStarted.model_validate(event)


async def later_trial(tables: Tables, trial: TrialStarted) -> TrialStarted | None:
    """Return the first trial that began after this one; None if there is none."""
    event = await tables.fetchval(
        """SELECT event FROM trials WHERE number > (SELECT number FROM trials WHERE cause = $1)
           ORDER BY number LIMIT 1""",
        trial.cause,
    )
    return None if event is None else TrialStarted.model_validate(event)


async def ending_promotion(tables: Tables, trial: TrialStarted) -> ModelPromoted | None:
    """Return the first promotion that ends a trial before its time; None if there is none."""
    rows = await tables.fetch("SELECT event FROM promotions WHERE sequence > $1 ORDER BY sequence", trial.sequence)
    since = (ModelPromoted.model_validate(row["event"]) for row in rows)
    return next((one for one in since if trial.is_ended_by(one.sequence, one.route, one.lane)), None)


async def trial_counts(tables: Tables, trial: TrialStarted) -> TrialCounts:
    """Return what all replicas compared in a trial until now."""
    row = await tables.fetchrow(
        """SELECT coalesce(sum(compared), 0)::bigint AS compared, coalesce(sum(disagreed), 0)::bigint AS disagreed,
                  coalesce(sum(failed), 0)::bigint AS failed, coalesce(sum(dropped), 0)::bigint AS dropped,
                  coalesce(max(detail), '') AS detail
           FROM trial_counts WHERE trial = $1""",
        trial.event_id,
    )
    assert row is not None  # it has no condition that can fail
    return TrialCounts(**dict(row))
