"""The clients can read what the predictor's API answers."""

import pytest
from pydantic import BaseModel

from services.predictor.api.bodies import CorrectionBody, ModelBody, PredictionBody
from shared.clients.answers import CorrectionWeight, Prediction, ServingModel


@pytest.mark.parametrize(
    ("body", "answer"), [(PredictionBody, Prediction), (ModelBody, ServingModel), (CorrectionBody, CorrectionWeight)]
)
def test_the_client_reads_the_fields_the_predictor_answers(body: type[BaseModel], answer: type[BaseModel]) -> None:
    assert _types(answer) == _types(body)


def _types(model: type[BaseModel]) -> dict[str, object]:
    """Return the JSON type of each field, without titles and names of nested classes."""
    properties = model.model_json_schema(mode="serialization")["properties"]
    return {name: _plain(schema) for name, schema in properties.items()}


def _plain(schema: object) -> object:
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(value) for key, value in schema.items() if key not in ("title", "$ref")}
