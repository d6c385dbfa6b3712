"""The answer that the examples of the API speak of."""

from uuid import UUID

from services.predictor.api.bodies import GivenAnswerBody
from services.predictor.api.examples import examples
from services.predictor.data.logged_answers import GivenAnswer


async def example_answer(prediction_id: UUID) -> GivenAnswer | None:
    """Return it under its id, None under others."""
    body = examples()["given_answer"].answers[200]
    assert isinstance(body, GivenAnswerBody)
    if body.prediction_id != prediction_id:
        return None
    fields = body.model_dump(exclude={"name"})
    return GivenAnswer(**{**fields, "corrections": tuple(body.corrections)})
