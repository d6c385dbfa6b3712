"""Dead letters: readable, with nothing lost."""

import base64

from shared.dead_letters import dead_letter
from shared.errors import InvalidMessage
from shared.log import Record
from shared.testing import FixedClock


def test_text_stays_text() -> None:
    record = Record("image.stored", 3, 41, "a key", '{"wrong": "ü"}'.encode())
    clock = FixedClock()
    letter = dead_letter(record, InvalidMessage("no label"), handler="ingestor", attempts=2, clock=clock)
    assert (letter.topic, letter.partition, letter.offset, letter.key) == ("image.stored", 3, 41, "a key")
    assert letter.value == '{"wrong": "ü"}'
    assert letter.value_base64 is None
    assert (letter.error, letter.detail, letter.attempts, letter.handler) == (
        "InvalidMessage",
        "no label",
        2,
        "ingestor",
    )
    assert letter.failed_at == clock.now


def test_bytes_that_are_no_text_are_kept_as_they_are() -> None:
    value = bytes(range(256))
    letter = dead_letter(Record("image.stored", 0, 0, None, value), KeyError("x"), handler="h", attempts=1)
    assert letter.value is None
    assert base64.b64decode(letter.value_base64 or "") == value


def test_a_tombstone_has_no_value_at_all() -> None:
    letter = dead_letter(Record("image.stored", 0, 0, "key", None), KeyError("x"), handler="h", attempts=1)
    assert letter.value is None
    assert letter.value_base64 is None
