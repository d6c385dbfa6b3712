"""The requests of the predictor's API, one function each. Send them with `AsyncApi` or `BlockingApi`."""

from uuid import UUID

from pydantic import TypeAdapter

from shared.clients.answers import GivenAnswer, Prediction, ServingModel
from shared.clients.batches import BatchPrediction
from shared.clients.request import ApiRequest

_GIVEN: TypeAdapter[GivenAnswer | BatchPrediction] = TypeAdapter(GivenAnswer | BatchPrediction)


def predict(data: bytes, name: str = "image") -> ApiRequest[Prediction]:
    """Classify an image file."""
    return ApiRequest("POST", "/predict", Prediction.model_validate_json, file=(name, data))


def get_serving_model(other_than: str | None = None, wait_seconds: float = 5.0) -> ApiRequest[ServingModel]:
    """Get the model this replica serves; while that is `other_than` the answer waits for another one, `wait_seconds`
    (0..5) at most."""
    params = None if other_than is None else {"other_than": other_than, "wait_seconds": f"{wait_seconds:.3f}"}
    return ApiRequest("GET", "/model", ServingModel.model_validate_json, params=params)


def get_given_answer(prediction_id: UUID) -> ApiRequest[GivenAnswer | BatchPrediction]:
    """Get an answer that was given, as it was logged, or the prediction about one image of a batch. It is
    there within a second or so, and for some days (PAPPUS_PREDICTION_DAYS); 404 before and after, 503 while the
    predictor's PostgreSQL is away."""
    return ApiRequest("GET", f"/predictions/{prediction_id}", _GIVEN.validate_json)
