"""Examples in the description of an API."""

from typing import Any

import pytest
from pydantic import BaseModel

from shared.http.api import Api
from shared.http.examples import Example
from shared.http.problems import Problem, problem_responses
from shared.imaging.decoding import decode
from shared.imaging.drawing import draw_dandelion
from shared.runtime.health import Health
from tests.examples import wrong_examples


class Cup(BaseModel):
    """A cup of some size."""

    millilitres: int


@pytest.fixture
def api() -> Api:
    app = Api("Test", "An API for tests.", Health(), 1_000)

    @app.post("/cups/{colour}", responses=problem_responses(409))
    async def fill(colour: str, cup: Cup) -> Cup:
        return cup

    return app


def filled(**changes: Any) -> Example:
    values: dict[str, Any] = {
        "parameters": {"colour": "red"},
        "body": {"millilitres": 200},
        "answers": {200: Cup(millilitres=200)},
        "problems": [Problem(409, "full", "The cup is full. Drink."), Problem(422, "invalid_request", "body: none")],
    }
    return Example(**{**values, **changes})


def test_examples_and_tags_stand_in_the_description(api: Api) -> None:
    api.explain({"cups": "Fill cups."}, lambda: {"fill": filled()})
    document = api.openapi()

    operation = document["paths"]["/cups/{colour}"]["post"]
    assert wrong_examples(document) == []
    assert document["tags"] == [{"name": "cups", "description": "Fill cups."}]
    assert operation["parameters"][0]["example"] == "red"
    assert operation["requestBody"]["content"]["application/json"]["example"] == {"millilitres": 200}
    assert operation["responses"]["200"]["content"]["application/json"]["example"] == {"millilitres": 200}
    full = operation["responses"]["409"]["content"]["application/problem+json"]["example"]
    assert (full["error"], full["detail"]) == ("full", "The cup is full. Drink.")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"parameters": {}}, "the parameter colour has no example"),
        ({"body": None}, "the body has no example"),
        ({"body": {"millilitres": "much"}}, "the body: $.millilitres: 'much' is not of type 'integer'"),
        ({"answers": {}}, "the answer 200 has no example"),
        ({"answers": {200: {}}}, "the answer 200: $: 'millilitres' is a required property"),
        ({"problems": ()}, "the answer 409 has no example"),
    ],
)
def test_a_missing_or_a_wrong_example_is_found(api: Api, changes: dict[str, Any], line: str) -> None:
    api.explain({}, lambda: {"fill": filled(**changes)})
    assert f"POST /cups/{{colour}}: {line}" in wrong_examples(api.openapi())


def test_an_example_of_nothing_is_refused(api: Api) -> None:
    api.explain({}, lambda: {"empty": filled()})
    with pytest.raises(KeyError, match="empty"):
        api.openapi()


def test_the_example_picture_is_always_the_same_image() -> None:
    first = draw_dandelion()
    draw_dandelion.cache_clear()
    assert draw_dandelion() == first
    assert decode(first).shape == (144, 144, 3)
