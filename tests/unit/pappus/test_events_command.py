"""`pappus events`: which records it shows, and that no terminal acts on one of them."""

import pytest

from pappus.actions.events import as_line, document_of, is_about
from shared.messaging.event_log import Record


def record(value: bytes | None, key: str | None = None, unreadable: str | None = None) -> Record:
    return Record("label.corrected", 1, 7, key, value, unreadable=unreadable)


@pytest.mark.parametrize(
    ("text", "found"), [(None, True), ("fast-1", True), ("image-1", True), ("fast-2", False), ("grün", True)]
)
def test_a_record_is_about_what_its_key_or_its_bytes_contain(text: str | None, found: bool) -> None:
    assert is_about(record('{"version": "fast-1", "label": "grün"}'.encode(), "image-1"), text) is found


def test_a_record_without_anything_is_about_nothing() -> None:
    assert not is_about(record(None), "a")


def test_an_event_is_one_line_without_control_characters() -> None:
    assert as_line(record(b'{"label": "\x1b[31m\n"}')) == '{"label": "\\x1b[31m\\n"}'


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    assert as_line(record(b"\xff\x00a")) == "\\xff\\x00a"


def test_a_program_gets_where_a_record_stands_and_its_text() -> None:
    assert document_of(record(b"\xff{}", "image-1")) == {
        "topic": "label.corrected",
        "partition": 1,
        "offset": 7,
        "key": "image-1",
        "value": "\\xff{}",
        "unreadable": None,
    }


def test_a_record_without_bytes_says_where_it_stands_and_why() -> None:
    assert as_line(record(None)) == "label.corrected[1]@7: no value"
    assert as_line(record(None, unreadable="its checksum is wrong")) == "label.corrected[1]@7: its checksum is wrong"
