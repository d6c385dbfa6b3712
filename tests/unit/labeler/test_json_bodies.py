"""No route of the labeler takes a value of another type of JSON for the number or the flag that it asks for."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from fastapi import params
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.labeler.api.review import DoubleCheckBody
from services.labeler.commands.feedback import FeedbackRequest
from shared.clients.browse import ImageFilter
from shared.http.bodies import JsonBody
from tests.unit.labeler.test_api_description import PROVIDER, api

WRONG: dict[str, tuple[Any, ...]] = {
    "integer": (False, True, "0", 0.5, None),
    "number": (False, "0.5", "NaN"),
    "boolean": (0, 1, "true", "off"),
}
ELSEWHERE = (params.Param, params.Form, params.Depends)
"""What is no body of JSON."""


def bodies() -> Iterator[tuple[str, Any]]:
    """Yield the path and the type of each body of JSON."""
    for route in iter_route_contexts(api("dandelion", "grass", **PROVIDER).routes):
        hints = get_type_hints(route.endpoint, include_extras=True) if route.endpoint else {}
        hints.pop("return", None)
        for hint in hints.values():
            base, *more = get_args(hint) if get_origin(hint) is Annotated else [hint]
            is_model = isinstance(base, type) and issubclass(base, BaseModel)
            if is_model and not any(isinstance(each, ELSEWHERE) for each in more):
                yield str(route.path), hint


BODIES = [*bodies(), ("/predictions/{prediction_id}/correction", JsonBody[FeedbackRequest])]


def leaves(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield where there is a number or a flag in what a schema describes, and its type."""
    if "$ref" in schema:
        yield from leaves(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for option in schema.get("anyOf", ()):
        yield from leaves(option, root)
    if schema.get("type") in WRONG:
        yield (), schema["type"]
    for name, inner in schema.get("properties", {}).items():
        yield from (((name, *place), kind) for place, kind in leaves(inner, root))
    if "items" in schema:
        yield from (((0, *place), kind) for place, kind in leaves(schema["items"], root))


LEAVES = [
    pytest.param(hint, place, kind, id=f"{path} {'.'.join(map(str, place))}")
    for path, hint in BODIES
    for document in [TypeAdapter(hint).json_schema()]
    for place, kind in leaves(document, document)
]


def at(place: tuple[str | int, ...], value: object) -> object:
    """Return the least of a body that has a value at a place."""
    for step in reversed(place):
        value = [value] if step == 0 else {step: value}
    return value


def test_there_are_bodies_with_numbers_and_flags() -> None:
    assert len(BODIES) > 20
    assert len(LEAVES) > 8


@pytest.mark.parametrize(("hint", "place", "kind"), LEAVES)
def test_a_value_of_another_type_is_refused(hint: Any, place: tuple[str | int, ...], kind: str) -> None:
    for wrong in WRONG[kind]:
        with pytest.raises(ValidationError) as refused:
            TypeAdapter(hint).validate_python(at(place, wrong))
        assert place in [each["loc"] for each in refused.value.errors()], (place, wrong)


@pytest.mark.parametrize("moment", ["2026-01-31", "2026-01-31T00:00:00", "2026-01-31T01:00:00+01:00"])
def test_a_filter_in_a_body_takes_a_date_or_a_time(moment: str) -> None:
    read = TypeAdapter(JsonBody[ImageFilter]).validate_python({"since": moment})
    assert read.since == ImageFilter.model_validate({"since": "2026-01-31T00:00:00Z"}).since


@pytest.mark.parametrize("no_moment", ["0", "0.5", "1700000000", "20260131", "now", "", 1700000000, 0.5, True])
def test_neither_a_number_nor_the_text_of_one_is_a_time(no_moment: object) -> None:
    for hint, field in ((JsonBody[ImageFilter], "since"), (JsonBody[DoubleCheckBody], "asked_about")):
        with pytest.raises(ValidationError, match=field):
            TypeAdapter(hint).validate_python({field: no_moment})
