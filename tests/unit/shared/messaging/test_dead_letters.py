"""Dead letters: readable, and small enough for a record."""

import base64
import hashlib

import pytest

from shared.contract.topics import USUAL_BYTES
from shared.messaging.dead_letters import make_dead_letter
from shared.messaging.event_log import Record
from shared.runtime.errors import InvalidMessage
from shared.testing import FixedClock


def test_text_stays_text() -> None:
    record = Record("image.stored", 3, 41, "a key", '{"wrong": "ü"}'.encode())
    clock = FixedClock()
    dead_letter = make_dead_letter(record, InvalidMessage("no label"), handler="ingestor", attempts=2, clock=clock)
    assert (dead_letter.topic, dead_letter.partition, dead_letter.offset, dead_letter.key) == (
        "image.stored",
        3,
        41,
        "a key",
    )
    assert dead_letter.value == '{"wrong": "ü"}'
    assert dead_letter.value_base64 is None
    assert (dead_letter.error, dead_letter.detail, dead_letter.attempts, dead_letter.handler) == (
        "InvalidMessage",
        "no label",
        2,
        "ingestor",
    )
    assert dead_letter.failed_at == clock.now


def test_bytes_that_are_no_text_are_kept_as_they_are() -> None:
    value = bytes(range(256))
    dead_letter = make_dead_letter(Record("image.stored", 0, 0, None, value), KeyError("x"), handler="h", attempts=1)
    assert dead_letter.value is None
    assert base64.b64decode(dead_letter.value_base64 or "") == value


def test_a_tombstone_has_no_value_at_all() -> None:
    dead_letter = make_dead_letter(Record("image.stored", 0, 0, "key", None), KeyError("x"), handler="h", attempts=1)
    assert dead_letter.value is None
    assert dead_letter.value_base64 is None


@pytest.mark.parametrize(
    "value",
    [b"\xff" * 1_000_000, b"\x01" * 1_000_000, "ü".encode() * 500_000, b"text" * 4_000_000],
    ids=["no text", "control characters", "umlauts", "the largest record"],
)
def test_a_value_that_is_too_large_is_cut_and_the_letter_says_so(value: bytes) -> None:
    dead_letter = make_dead_letter(
        Record("image.stored", 0, 0, "k" * 9_000, value), KeyError("x" * 9_000), handler="h", attempts=1
    )
    kept = (
        base64.b64decode(dead_letter.value_base64) if dead_letter.value_base64 else (dead_letter.value or "").encode()
    )
    assert len(dead_letter.model_dump_json().encode()) < USUAL_BYTES - 100_000
    assert value.startswith(kept)
    assert len(kept) == 100_000
    assert (dead_letter.value_bytes, dead_letter.value_sha256) == (len(value), hashlib.sha256(value).hexdigest())


def test_half_a_character_is_not_kept_and_a_cut_key_says_that_it_was_cut() -> None:
    value = b"a" + "ü".encode() * 500_000
    dead_letter = make_dead_letter(
        Record("image.stored", 0, 0, "k" * 9_000, value), KeyError("x"), handler="h", attempts=1
    )
    assert dead_letter.value == "a" + "ü" * 49_999
    assert dead_letter.key == "k" * 4_000 + "…"


def test_an_error_that_quotes_half_a_character_can_be_written() -> None:
    dead_letter = make_dead_letter(
        Record("image.stored", 0, 0, None, b"{}"), InvalidMessage("\ud83c"), handler="h", attempts=1
    )
    assert dead_letter.model_dump_json()
    assert dead_letter.detail == "\\ud83c"
    assert (dead_letter.value_bytes, dead_letter.value_sha256) == (None, None)
