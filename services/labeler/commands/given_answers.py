"""Answers of the predictor, by their ids: asked for over HTTP, as any other program does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2

from services.labeler.commands.outcomes import Refused
from services.labeler.settings import LabelerSettings
from shared.clients.answers import GivenAnswer
from shared.clients.api import AsyncApi, Connecting
from shared.clients.batches import BatchPrediction
from shared.clients.errors import ApiError, ApiProblem
from shared.clients.predictor import get_given_answer
from shared.runtime.errors import TransientError

PENDING = "This image of a batch is not answered yet. Correct the answer when it is there."
RETRY_SECONDS = 1.0
"""For how long a predictor that restarts is asked again."""


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """What was answered about the image with this sha256, to a request or in a batch; `probabilities` sum to 1."""

    prediction_id: UUID
    label: str
    probabilities: Mapping[str, float]
    model_version: str
    sha256: str


class GivenAnswers:
    """Finds answers. Without an API none can be found."""

    def __init__(self, api: AsyncApi | None) -> None:
        self._api = api

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: LabelerSettings, network: httpx2.AsyncBaseTransport | None = None
    ) -> AsyncIterator["GivenAnswers"]:
        """Yield the answers of the predictor of these settings. `network` replaces the network, for tests."""
        if not settings.predictor_url:
            yield cls(None)
            return
        key = settings.predictor_key.get_secret_value()
        connecting = Connecting(headers={"X-Api-Key": key} if key else {}, advice="Is the predictor running?")
        async with AsyncApi(settings.predictor_url, RETRY_SECONDS, network, connecting) as api:
            yield cls(api)

    async def find(self, prediction_id: UUID) -> FoundAnswer:
        """Return the answer of this id.

        Raises:
            Refused: prediction_unknown; not_answered, if it is of a batch and has no answer, yet or at all.
            TransientError: the predictor, or its table of answers, is away, or refuses the key.
        """
        if self._api is None:
            raise TransientError("PAPPUS_PREDICTOR_URL is not set, so no answer can be asked for. Set it.")
        try:
            return _found(await self._api.send(get_given_answer(prediction_id)))
        except ApiProblem as problem:
            if problem.status == 404 and problem.code == "unknown_prediction":
                raise Refused("prediction_unknown", problem.detail) from problem
            raise _away(problem) from problem
        except ApiError as error:
            raise _away(error) from error


def _found(given: GivenAnswer | BatchPrediction) -> FoundAnswer:
    """Return what was answered. Raises Refused where nothing was."""
    label, version, digest = given.label, given.model_version, given.sha256
    if label is None or version is None or digest is None:
        raise Refused("not_answered", _why_not_answered(given))
    return FoundAnswer(given.prediction_id, label, given.probabilities or {}, version, digest)


def _why_not_answered(given: GivenAnswer | BatchPrediction) -> str:
    if isinstance(given, BatchPrediction) and given.state == "refused":
        return f"There is no answer to correct, since the image was refused: {given.detail or given.error}"
    return PENDING


def _away(error: ApiError) -> TransientError:
    return TransientError(
        f"The predictor, which knows the answer, cannot tell it now ({error}). Send the request again, with the same"
        " Idempotency-Key."
    )
