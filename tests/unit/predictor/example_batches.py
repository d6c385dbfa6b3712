"""The batch that the examples of the API speak of, as the tables have it."""

from collections.abc import Sequence
from uuid import UUID

from services.predictor.api.batches.bodies import BatchBody
from services.predictor.api.batches.examples import examples
from services.predictor.api.batches.submission import Submissions
from services.predictor.data.batches import BatchPrediction, BatchProgress, Completion
from shared.tables.lookups import TablesAway
from shared.testing import MemoryEventLog, MemoryObjectStore
from shared.testing.event_log import MemoryPublisher


class ExampleBatches:
    """Knows that batch, and no other. `away`: the tables cannot be asked; `listed`: how often completions were;
    `unnumbered`: so many of the last completions have no number yet."""

    def __init__(self) -> None:
        self.away, self.listed, self.unnumbered = False, 0, 0
        body = examples("fast-3f9c2a71b0de")["batch"].answers[200]
        assert isinstance(body, BatchBody)
        self.progress = BatchProgress(
            body.batch_id, body.size, body.answered, body.refused, body.requested_at, body.completed_at
        )
        self.predictions = [
            BatchPrediction(
                requested_at=body.requested_at,
                sequence=each.model_sequence,
                **each.model_dump(exclude={"state", "name", "model_sequence"}),
            )
            for each in body.predictions
        ]

    async def find_batch(self, batch_id: UUID) -> BatchProgress | None:
        self._ask()
        return self.progress if batch_id == self.progress.batch_id else None

    async def list_predictions(self, batch_id: UUID, after: int, limit: int) -> Sequence[BatchPrediction]:
        found = [each for each in self.predictions if each.batch_id == batch_id and each.index > after]
        return found[:limit]

    async def list_completions(self, batch_id: UUID, after: int, limit: int) -> Sequence[Completion]:
        self.listed += 1
        finished = [Completion(each.index + 1, each) for each in self.predictions if each.completed_at is not None]
        numbered = finished[: len(finished) - self.unnumbered]
        return [each for each in numbered if each.prediction.batch_id == batch_id and each.number > after][:limit]

    async def has_waiting(self, batch_id: UUID) -> bool:
        self._ask()
        return any(each.completed_at is None for each in self.predictions if each.batch_id == batch_id)

    async def count_numbered(self, batch_id: UUID) -> int:
        return len(await self.list_completions(batch_id, 0, self.progress.size))

    async def find_prediction(self, prediction_id: UUID) -> BatchPrediction | None:
        self._ask()
        return next((each for each in self.predictions if each.prediction_id == prediction_id), None)

    def _ask(self) -> None:
        if self.away:
            raise TablesAway("closed")


SUBMISSIONS = Submissions(MemoryObjectStore(), MemoryPublisher(MemoryEventLog(), "pappus/predictor"))
"""Accepts batches, which are answered by no process."""
