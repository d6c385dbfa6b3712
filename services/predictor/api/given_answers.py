"""Answers that were given, by their ids: from the table that the worker folds. All else works without it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from services.predictor.api.batches.bodies import BatchPredictionBody, NameOf, prediction_body
from services.predictor.api.bodies import GivenAnswerBody
from services.predictor.data.batches import BatchPrediction, BatchRows, BatchTables
from services.predictor.data.logged_answers import GivenAnswer, find_answer
from services.predictor.data.projection import SCHEMA
from services.predictor.settings import PredictorSettings
from shared.http.api import Api
from shared.http.problems import Problem, problem_responses
from shared.runtime.errors import InvalidSettings
from shared.runtime.telemetry import logger
from shared.tables.lookups import Lookups, TablesAway

PATH = "/predictions/{prediction_id}"
ASK_AGAIN_SECONDS = 2
LookUp = Callable[[UUID], Awaitable[GivenAnswer | None]]
"""Returns the answer of an id, or None. Raises TablesAway."""


class GivenAnswers:
    """The answers of all replicas, and the predictions of batches. `look_up` returns that of an id, or None; without it
    none can be asked for. `days`: how long the table keeps them. `batches`: the tables of batches."""

    def __init__(self, look_up: LookUp | None = None, days: int = 14, batches: BatchTables | None = None) -> None:
        self._look_up = look_up
        self.days = days
        self.batches = batches

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: PredictorSettings) -> AsyncIterator["GivenAnswers"]:
        """Yield the answers; nothing is connected before the first question. Settings that cannot be used keep no
        replica from its other answers."""
        if not settings.database_url.get_secret_value():
            yield cls(None, settings.prediction_days)
            return
        try:
            url = settings.database_dsn
        except InvalidSettings as error:
            logger.error("answers that were given cannot be looked up", reason=str(error))
            yield cls(None, settings.prediction_days)
            return
        async with Lookups.open(url, SCHEMA) as tables:
            yield cls(partial(find_answer, tables), settings.prediction_days, BatchRows(tables))

    async def find(self, prediction_id: UUID) -> GivenAnswer | BatchPrediction:
        """Return the answer of this id, or the prediction of a batch.

        Raises:
            Problem: 404 if there is none, 503 while the table cannot be asked.
        """
        if self._look_up is None:
            raise _away("This replica knows no PostgreSQL (PAPPUS_DATABASE_URL) in which the answers are kept.")
        try:
            answer: GivenAnswer | BatchPrediction | None = await self._look_up(prediction_id)
            if answer is None and self.batches is not None:
                answer = await self.batches.find_prediction(prediction_id)
        except TablesAway as error:
            logger.warning("an answer could not be looked up", prediction_id=str(prediction_id), reason=str(error))
            raise _away("PostgreSQL, where the answers are kept, does not answer this replica.") from error
        if answer is None:
            raise Problem(
                404,
                "unknown_prediction",
                f"There is no answer {prediction_id}. An answer is here within a second or so after it was given, and"
                f" for {self.days} days; answers about an image that was taken back are deleted.",
            )
        return answer


def _away(what: str) -> Problem:
    detail = f"{what} Predictions are not affected. Ask again in a moment."
    return Problem(503, "store_unavailable", detail, retry_after_seconds=ASK_AGAIN_SECONDS)


def add_given_answers(
    app: Api, answers: GivenAnswers, name_of: NameOf, needs_key: Sequence[Any], of_key: Sequence[int]
) -> None:
    """Add the route. `name_of` says what people call a label; `of_key`: the statuses of a request without a key."""

    @app.get(
        PATH,
        tags=["predictions"],
        summary="Show an answer that was given",
        response_description="The answer",
        response_model=GivenAnswerBody | BatchPredictionBody,
        responses=problem_responses(*of_key, 404, 422, 503),
        dependencies=list(needs_key),
    )
    async def given_answer(prediction_id: UUID) -> Response:
        """Show what was answered under this id, by any replica. An answer is here within a second or so after it was
        given, and for `PAPPUS_PREDICTION_DAYS` days. A prediction of a batch is shown as soon as it is asked for, with
        its state: `pending`, `answered` or `refused`. 503 `store_unavailable` while PostgreSQL is away, which only the
        routes of batches ask, too."""
        given = await answers.find(prediction_id)
        if isinstance(given, BatchPrediction):
            body: BaseModel = prediction_body(given, name_of)
        else:
            body = GivenAnswerBody(name=name_of(given.label), **asdict(given))
        return JSONResponse(body.model_dump(mode="json"))
