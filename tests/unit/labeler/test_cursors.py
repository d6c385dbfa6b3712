"""Cursors: read back as they were written, and refused when anything about them is wrong."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.queries.cursors import Cursor, InvalidCursor, decode_cursor, encode_cursor

NAMED = encode_cursor(Cursor(0.25, uuid4(), 60, 1000), "doubtful of anna")


@given(
    value=st.floats(-2, 2) | st.datetimes(timezones=st.just(UTC)),
    numbers=st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.booleans(), st.booleans()),
)
def test_a_cursor_is_read_as_it_was_written(value: float | datetime, numbers: tuple[int, int, bool, bool]) -> None:
    cursor = Cursor(value, uuid4(), *numbers)
    assert decode_cursor(encode_cursor(cursor, "a list"), "a list") == cursor


@given(text=st.text(max_size=120))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(text, "a list")


@given(place=st.integers(0, len(NAMED) - 2), letter=st.sampled_from("ABCxyz019-_"))
def test_one_that_was_changed_is_refused(place: int, letter: str) -> None:
    changed = NAMED[:place] + letter + NAMED[place + 1 :]
    if changed != NAMED:
        with pytest.raises(InvalidCursor):
            decode_cursor(changed, "doubtful of anna")


def test_one_of_another_list_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidCursor, match="Ask without a cursor for the first page"):
        decode_cursor(NAMED, "newest of anna")
