"""Questions to the tables of batches: how far one is, what came of its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared.tables.postgres import Row

_PREDICTION = """p.prediction_id, p.batch_id, p.index, p.image_id, p.file_name, p.requested_at, p.completed_at, p.label,
       p.probabilities, p.model_version, p.sequence, p.sha256, p.milliseconds, p.replica, p.error, p.detail"""


class Tables(Protocol):
    """Where questions are asked."""

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """Return all rows."""

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        """Return the first row, or None."""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is. `completed_at` is None until all of it is finished."""

    batch_id: UUID
    size: int
    answered: int
    refused: int
    requested_at: datetime | None
    completed_at: datetime | None

    @property
    def finished(self) -> bool:
        """Whether every image is answered or refused."""
        return self.answered + self.refused >= self.size


@dataclass(frozen=True, slots=True)
class BatchPrediction:
    """One image of a batch, and what came of it: nothing yet (`completed_at` is None), an answer (`label`), or a
    refusal (`error`, `detail`)."""

    prediction_id: UUID
    batch_id: UUID
    index: int
    image_id: UUID | None
    file_name: str | None
    requested_at: datetime | None
    completed_at: datetime | None
    label: str | None
    probabilities: dict[str, float] | None
    model_version: str | None
    sequence: int | None
    sha256: str | None
    milliseconds: float | None
    replica: str | None
    error: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished prediction; `number` says after which others it was first shown."""

    number: int
    prediction: BatchPrediction


async def find_batch(tables: Tables, batch_id: UUID) -> BatchProgress | None:
    """Return how far a batch is; None if the tables know of none."""
    row = await tables.fetchrow(
        """SELECT b.batch_id, b.size, b.requested_at,
                  count(*) FILTER (WHERE p.completed_at IS NOT NULL AND p.error IS NULL) AS answered,
                  count(*) FILTER (WHERE p.completed_at IS NOT NULL AND p.error IS NOT NULL) AS refused,
                  max(p.completed_at) AS completed_at
           FROM batches b LEFT JOIN batch_predictions p USING (batch_id) WHERE b.batch_id = $1
           GROUP BY b.batch_id""",
        batch_id,
    )
    if row is None:
        return None
    progress = BatchProgress(**dict(row))
    return progress if progress.finished else BatchProgress(**{**dict(row), "completed_at": None})


async def list_predictions(tables: Tables, batch_id: UUID, after: int, limit: int) -> list[BatchPrediction]:
    """Return predictions of a batch behind the image with the index `after`, by index, at most `limit`."""
    rows = await tables.fetch(
        f"""SELECT {_PREDICTION} FROM batch_predictions p
            WHERE p.batch_id = $1 AND p.index > $2 ORDER BY p.index LIMIT $3""",  # noqa: S608 - a constant
        batch_id,
        after,
        limit,
    )
    return [_prediction(dict(row)) for row in rows]


async def list_completions(tables: Tables, batch_id: UUID, after: int, limit: int) -> list[Completion]:
    """Return finished predictions of a batch behind the number `after`, as they were finished, at most `limit`."""
    rows = await tables.fetch(
        f"""SELECT n.number, {_PREDICTION} FROM completion_numbers n JOIN batch_predictions p USING (prediction_id)
            WHERE n.batch_id = $1 AND n.number > $2 ORDER BY n.number LIMIT $3""",  # noqa: S608 - a constant
        batch_id,
        after,
        limit,
    )
    return [Completion(row["number"], _prediction({k: v for k, v in row.items() if k != "number"})) for row in rows]


async def has_waiting(tables: Tables, batch_id: UUID) -> bool:
    """Return whether an image of a batch is known to have no outcome yet. It costs less than `find_batch`, which counts
    all of them."""
    row = await tables.fetchrow(
        "SELECT EXISTS (SELECT FROM batch_predictions WHERE batch_id = $1 AND completed_at IS NULL) AS waits", batch_id
    )
    return row is not None and bool(row["waits"])


async def count_numbered(tables: Tables, batch_id: UUID) -> int:
    """Return how many finished predictions of a batch have a number. Those that a replay folded further than the tables
    before it have none for some seconds."""
    (row,) = await tables.fetch("SELECT count(*) AS images FROM completion_numbers WHERE batch_id = $1", batch_id)
    return int(row["images"])


async def count_unfinished(tables: Tables) -> int:
    """Return how many images of batches have no outcome yet. Raises what `tables` raises."""
    (row,) = await tables.fetch("SELECT count(*) AS images FROM batch_predictions WHERE completed_at IS NULL")
    return int(row["images"])


async def find_prediction(tables: Tables, prediction_id: UUID) -> BatchPrediction | None:
    """Return what came of a prediction; None if the tables know of none."""
    row = await tables.fetchrow(
        f"SELECT {_PREDICTION} FROM batch_predictions p WHERE p.prediction_id = $1",  # noqa: S608 - a constant
        prediction_id,
    )
    return None if row is None else _prediction(dict(row))


def _prediction(fields: dict[str, Any]) -> BatchPrediction:
    return BatchPrediction(**fields)


class BatchTables(Protocol):
    """The questions of a replica. Each raises TablesAway while the tables cannot be asked."""

    async def find_batch(self, batch_id: UUID) -> BatchProgress | None:
        """See `find_batch`."""

    async def list_predictions(self, batch_id: UUID, after: int, limit: int) -> Sequence[BatchPrediction]:
        """See `list_predictions`."""

    async def list_completions(self, batch_id: UUID, after: int, limit: int) -> Sequence[Completion]:
        """See `list_completions`."""

    async def has_waiting(self, batch_id: UUID) -> bool:
        """See `has_waiting`."""

    async def count_numbered(self, batch_id: UUID) -> int:
        """See `count_numbered`."""

    async def find_prediction(self, prediction_id: UUID) -> BatchPrediction | None:
        """See `find_prediction`."""


class BatchRows:
    """The questions, asked of one database."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find_batch(self, batch_id: UUID) -> BatchProgress | None:
        """See `find_batch`."""
        return await find_batch(self._tables, batch_id)

    async def list_predictions(self, batch_id: UUID, after: int, limit: int) -> Sequence[BatchPrediction]:
        """See `list_predictions`."""
        return await list_predictions(self._tables, batch_id, after, limit)

    async def list_completions(self, batch_id: UUID, after: int, limit: int) -> Sequence[Completion]:
        """See `list_completions`."""
        return await list_completions(self._tables, batch_id, after, limit)

    async def has_waiting(self, batch_id: UUID) -> bool:
        """See `has_waiting`."""
        return await has_waiting(self._tables, batch_id)

    async def count_numbered(self, batch_id: UUID) -> int:
        """See `count_numbered`."""
        return await count_numbered(self._tables, batch_id)

    async def find_prediction(self, prediction_id: UUID) -> BatchPrediction | None:
        """See `find_prediction`."""
        return await find_prediction(self._tables, prediction_id)
