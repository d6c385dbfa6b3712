"""What a handler remembers over its own crashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.failures import Failures


@given(st.dictionaries(st.integers(0, 10**12), st.integers(1, 3), max_size=5), st.integers(0, 100))
def test_a_note_is_read_as_it_was_written(exceptions: dict[int, int], dead_letters: int) -> None:
    failures = Failures(exceptions, dead_letters)
    assert Failures.from_metadata(failures.to_metadata()) == failures


@pytest.mark.parametrize("note", ["", "not json", "[]", "{}", '{"failures": 3, "dead_letters": 1}', "null", '"text"'])
def test_a_note_in_another_format_counts_as_empty(note: str) -> None:
    assert Failures.from_metadata(note) == Failures()


def test_nothing_to_remember_is_an_empty_note() -> None:
    assert Failures().raised(4).finished(4, dead=False).to_metadata() == ""


def test_exceptions_are_counted_per_offset_until_it_is_finished() -> None:
    failures = Failures().raised(7).raised(7).raised(9)
    assert failures.exceptions == {7: 2, 9: 1}
    assert failures.has_failures
    assert failures.finished(7, dead=True).exceptions == {9: 1}


def test_one_message_that_goes_well_ends_the_row_of_dead_letters() -> None:
    failures = Failures().finished(1, dead=True).finished(2, dead=True)
    assert failures.dead_letters_in_a_row == 2
    assert failures.finished(3, dead=False).dead_letters_in_a_row == 0


def test_what_was_begun_when_a_process_ended_without_a_word_is_counted() -> None:
    first = Failures().taken_over()
    assert (first.open, first.deaths) == (True, {})
    second = Failures.from_metadata(first.to_metadata()).taken_over().began(7).began(8).ended(8)
    third = Failures.from_metadata(second.to_metadata()).taken_over().began(7)
    assert third.deaths == {7: 1}
    assert third.has_failures
    fourth = Failures.from_metadata(third.to_metadata()).taken_over()
    assert fourth.deaths == {7: 2}
    assert fourth.finished(7, dead=True).deaths == {}


def test_an_orderly_end_leaves_nothing_to_count() -> None:
    ended = Failures().taken_over().began(7).closed()
    assert ended == Failures()
    assert ended.to_metadata() == ""


def test_the_note_fits_into_the_metadata_that_kafka_takes() -> None:
    failures = Failures(open=True, begun=frozenset(range(10**12, 10**12 + 300)), deaths={10**12: 2})
    assert len(failures.to_metadata()) < 4096


def test_a_note_of_an_older_release_is_read() -> None:
    assert Failures.from_metadata('{"failures": {"4": 2}, "dead_letters": 1}') == Failures({4: 2}, 1)
