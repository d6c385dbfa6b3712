"""Answers of the predictor, by their ids: asked for over HTTP, as any other program does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx2

from services.labeler.commands.outcomes import Refused
from services.labeler.settings import LabelerSettings
from shared.clients.answers import GivenAnswer
from shared.clients.api import AsyncApi, Connecting
from shared.clients.errors import ApiError, ApiProblem
from shared.clients.predictor import get_given_answer
from shared.runtime.errors import TransientError

RETRY_SECONDS = 1.0
"""For how long a predictor that restarts is asked again."""


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

    async def find(self, prediction_id: UUID) -> GivenAnswer:
        """Return the answer of this id.

        Raises:
            Refused: prediction_unknown.
            TransientError: the predictor, or its table of answers, is away, or refuses the key.
        """
        if self._api is None:
            raise TransientError("PAPPUS_PREDICTOR_URL is not set, so no answer can be asked for. Set it.")
        try:
            return await self._api.send(get_given_answer(prediction_id))
        except ApiProblem as problem:
            if problem.status == 404 and problem.code == "unknown_prediction":
                raise Refused("prediction_unknown", problem.detail) from problem
            raise _away(problem) from problem
        except ApiError as error:
            raise _away(error) from error


def _away(error: ApiError) -> TransientError:
    return TransientError(
        f"The predictor, which knows the answer, cannot tell it now ({error}). Send the request again, with the same"
        " Idempotency-Key."
    )
