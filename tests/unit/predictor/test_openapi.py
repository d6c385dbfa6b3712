"""The predictor's API against its own description, in each state that a replica can be in."""

import hashlib
from collections.abc import Sequence

import pytest

from services.predictor.api.app import build_app
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.keys import ApiKey, ApiKeys
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.model.readiness import MODEL_PART
from shared.http.api import Api
from shared.runtime.health import Health
from tests.openapi import check_api
from tests.unit.predictor.example_answer import example_answer
from tests.unit.predictor.example_batches import SUBMISSIONS, ExampleBatches
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact

pytestmark = pytest.mark.slow
KEY = "a key"


def api(
    *, has_model: bool = True, in_flight_limit: int = 64, needed: Sequence[str] = (), keys: ApiKeys | None = None
) -> Api:
    in_service, artefact = ModelHolder(), small_artefact()
    if has_model:
        in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    predictions = Predictions(in_service, PredictionLog(limit=10_000), "replica-0", Turns(5, in_flight_limit))
    return build_app(
        predictions,
        Health(needed=set(needed)),
        300_000,
        keys=keys,
        answers=GivenAnswers(example_answer, batches=ExampleBatches()),
        submissions=SUBMISSIONS,
    )


def keys(per_minute: int | None = None) -> ApiKeys:
    known = ApiKeys()
    known.set_all([ApiKey(name="shop", sha256=hashlib.sha256(KEY.encode()).hexdigest(), per_minute=per_minute)])
    return known


def test_every_answer_is_one_that_the_openapi_document_describes() -> None:
    assert check_api(api(), lambda: True, times=0.5) > 500


@pytest.mark.parametrize(
    "state",
    [{"has_model": False, "needed": [MODEL_PART]}, {"in_flight_limit": 0}],
    ids=["without a model", "overloaded"],
)
def test_so_is_every_answer_of_a_replica_that_cannot_answer_now(state: dict[str, object]) -> None:
    check_api(api(**state), lambda: True, times=0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("per_minute", [None, 60], ids=["any number", "few"])
def test_so_is_every_answer_to_a_key_and_without_one_there_is_none(per_minute: int | None) -> None:
    check_api(api(keys=keys(per_minute)), lambda: True, {"X-Api-Key": KEY}, times=0.1)
