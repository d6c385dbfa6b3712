"""A place keeps the direction of the coordinates that it was made of."""

import math
from collections.abc import Sequence
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contract.place import DIMENSIONS, LARGEST, decode_place, encode_place
from shared.testing import image_scored

COORDINATES = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=DIMENSIONS)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)) / math.hypot(*one) / math.hypot(*other))


@given(COORDINATES.filter(lambda found: max(map(abs, found)) > 1e-3))
def test_the_direction_stays_within_half_a_step_of_each_number(coordinates: list[float]) -> None:
    text = encode_place(coordinates)
    assert text is not None
    assert len(text) <= 88
    place, largest = decode_place(text), max(map(abs, coordinates))
    assert len(place) == DIMENSIONS
    assert max(map(abs, place)) == LARGEST
    for value, kept in zip(coordinates, place, strict=False):
        assert abs(value / largest * LARGEST - kept) <= 0.5 + 1e-9


@given(COORDINATES.filter(lambda found: max(map(abs, found)) > 1e-3))
def test_the_cosine_to_the_direction_itself_is_nearly_1(coordinates: list[float]) -> None:
    assert cosine(coordinates, decode_place(encode_place(coordinates) or "")[: len(coordinates)]) > 0.999


@pytest.mark.parametrize(
    "coordinates", [[], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [1.0] * (DIMENSIONS + 1)], ids=repr
)
def test_without_a_direction_there_is_no_place(coordinates: list[float]) -> None:
    assert encode_place(coordinates) is None


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", "fw", "fw==" * 22 + "fw==", "f" * 92])
def test_an_event_takes_nothing_else_for_a_place(text: str) -> None:
    with pytest.raises(ValidationError):
        image_scored(place=text)


def test_a_place_of_few_numbers_ends_in_zeros() -> None:
    place = encode_place([0.5, -1.0])
    answer = image_scored(place=place).answer
    assert answer is not None
    assert decode_place(answer.place or "") == (64, -127, *(0,) * (DIMENSIONS - 2))
