"""The predictor's API against its own description."""

import pytest

from services.predictor.api.app import build_app
from services.predictor.api.given_answers import GivenAnswers
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from shared.runtime.health import Health
from tests.openapi import check_api
from tests.unit.predictor.example_answer import example_answer
from tests.unit.predictor.example_batches import SUBMISSIONS, ExampleBatches
from tests.unit.predictor.promotions import NOON, promotion
from tests.unit.predictor.small_model import small_artefact

pytestmark = pytest.mark.slow


def test_every_answer_is_one_that_the_openapi_document_describes() -> None:
    in_service, artefact = ModelHolder(), small_artefact()
    in_service.swap(ServingModel(promotion(1, artefact), Model(artefact), NOON))
    predictions = Predictions(in_service, PredictionLog(limit=10_000), "replica-0", Turns(0.25, 2))
    app = build_app(
        predictions,
        Health(needed=set()),
        300_000,
        answers=GivenAnswers(example_answer, batches=ExampleBatches()),
        submissions=SUBMISSIONS,
    )
    check_api(app, lambda: True)
