"""The API of the predictor for tests of the labeler: the real one, over tables of answers and of batches in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import httpx2

from services.labeler.api.examples.feedback import example_prediction_id
from services.labeler.api.examples.story import example_sha256
from services.predictor.api.app import build_app
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.data.batches import BatchPrediction, BatchProgress, Completion
from services.predictor.data.logged_answers import GivenAnswer
from services.predictor.model.holder import ModelHolder
from shared.runtime.health import Health
from shared.tables.lookups import TablesAway
from shared.testing import FixedClock


def given(sha256: str, label: str = "dandelion", labels: Iterable[str] = ("dandelion", "grass")) -> GivenAnswer:
    """Return an answer about these bytes; its label has 0.75."""
    rest = [each for each in labels if each != label]
    return GivenAnswer(
        prediction_id=uuid4(),
        answered_at=FixedClock()(),
        model_name="plants",
        model_version="fast-3",
        source="api",
        image_id=None,
        sha256=sha256,
        label=label,
        probabilities={label: 0.75, **dict.fromkeys(rest, 0.25 / max(1, len(rest)))},
        corrections=(),
        milliseconds=1.5,
        replica="replica-0",
    )


def in_batch(sha256: str, label: str | None = "dandelion", error: str | None = None) -> BatchPrediction:
    """Return what came of one image of a batch: an answer with the label, a refusal with an error, else nothing yet."""
    answered = label is not None and error is None
    return BatchPrediction(
        prediction_id=uuid4(),
        batch_id=uuid4(),
        index=0,
        image_id=None,
        file_name=None,
        requested_at=FixedClock()(),
        completed_at=FixedClock()() if answered or error else None,
        label=label if answered else None,
        probabilities={str(label): 0.75, "grass": 0.25} if answered else None,
        model_version="fast-3" if answered else None,
        sequence=3 if answered else None,
        sha256=sha256 if answered else None,
        milliseconds=1.5 if answered else None,
        replica="batches-0" if answered else None,
        error=error,
        detail=None if error is None else "This is not an image.",
    )


class BatchesInTests:
    """The tables of batches, which know single predictions and no whole batch."""

    def __init__(self) -> None:
        self.predictions: dict[UUID, BatchPrediction] = {}

    async def find_prediction(self, prediction_id: UUID) -> BatchPrediction | None:
        return self.predictions.get(prediction_id)

    async def find_batch(self, _batch_id: UUID) -> BatchProgress | None:
        return None

    async def list_predictions(self, _batch_id: UUID, _after: int, _limit: int) -> Sequence[BatchPrediction]:
        return []

    async def list_completions(self, _batch_id: UUID, _after: int, _limit: int) -> Sequence[Completion]:
        return []

    async def has_waiting(self, _batch_id: UUID) -> bool:
        return False

    async def count_numbered(self, _batch_id: UUID) -> int:
        return 0


class PredictorInTests:
    """A replica that knows these answers. `away`: its PostgreSQL is."""

    def __init__(self) -> None:
        self.answers: dict[UUID, GivenAnswer] = {}
        self.batches = BatchesInTests()
        self.away = False
        self.knows(replace(given(example_sha256(), "grass"), prediction_id=example_prediction_id()))
        predictions = Predictions(ModelHolder(), PredictionLog(limit=1), "replica-0", Turns(0.25, 2))
        app = build_app(
            predictions, Health(needed=()), 300_000, answers=GivenAnswers(self._look_up, batches=self.batches)
        )
        self.network = httpx2.ASGITransport(app)

    def knows(self, answer: GivenAnswer | BatchPrediction) -> UUID:
        """Let it know an answer; return its id."""
        if isinstance(answer, BatchPrediction):
            self.batches.predictions[answer.prediction_id] = answer
        else:
            self.answers[answer.prediction_id] = answer
        return answer.prediction_id

    async def _look_up(self, prediction_id: UUID) -> GivenAnswer | None:
        if self.away:
            raise TablesAway("PostgreSQL is away.")
        return self.answers.get(prediction_id)
