"""The requests of the predictor's API, one function each. Send them with `AsyncApi` or `BlockingApi`."""

from shared.clients.answers import Prediction, ServingModel
from shared.clients.request import ApiRequest


def predict(data: bytes, name: str = "image") -> ApiRequest[Prediction]:
    """Classify an image file."""
    return ApiRequest("POST", "/predict", Prediction.model_validate_json, file=(name, data))


def get_serving_model() -> ApiRequest[ServingModel]:
    """Get the model this replica serves."""
    return ApiRequest("GET", "/model", ServingModel.model_validate_json)
