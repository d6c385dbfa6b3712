"""Dead letters as people see them."""

from pappus.actions.dlq import describe
from shared.contract.dead_letter import DeadLetter
from shared.messaging.dead_letters import make_dead_letter
from shared.messaging.event_log import Record
from shared.messaging.kafka.dead_letter_topics import StoredDeadLetter
from shared.messaging.redriving import count_rows
from shared.runtime.errors import InvalidMessage
from shared.runtime.text import printable


def stored(offset: int, *, topic: str = "image.stored", handler: str = "gate", reason: str = "no") -> StoredDeadLetter:
    letter = make_dead_letter(Record(topic, 0, offset, "k", b"v"), InvalidMessage(reason), handler=handler, attempts=1)
    return StoredDeadLetter(Record(f"{topic}.dlq", 0, offset, "k", b""), letter)


def test_dead_letters_are_counted_by_topic_and_group_with_their_reasons() -> None:
    found = [stored(1), stored(2, reason="other"), stored(3), stored(4, handler="worker")]
    gate, worker = count_rows(found, {"image.stored.dlq/0/2"})
    assert (gate.group, gate.count, gate.redriven, gate.newest) == ("gate", 3, 1, "image.stored.dlq/0/3")
    assert gate.reasons.splitlines() == ["2 x InvalidMessage: no", "1 x InvalidMessage: other"]
    assert (worker.group, worker.count) == ("worker", 1)


def test_what_is_no_dead_letter_is_counted_and_shown_too() -> None:
    strange = StoredDeadLetter(Record("image.stored.dlq", 0, 7, None, b"\x1b[2J"), None)
    assert count_rows([strange], set())[0].group == "?"
    assert not any("\x1b" in line for line in describe(strange, False))


def test_a_terminal_gets_no_control_characters() -> None:
    assert printable("a\x1b[31m\r\n\u202eb ü") == "a\\x1b[31m\\r\\n\\u202eb ü"


def test_the_whole_value_comes_back_out_of_a_dead_letter() -> None:
    for value in (b"text \xc3\xbc", b"\xff\x00", b"", None):
        letter = make_dead_letter(
            Record("image.stored", 0, 0, None, value), InvalidMessage("no"), handler="", attempts=1
        )
        assert DeadLetter.model_validate_json(letter.model_dump_json()).whole_value == value


def test_a_value_that_was_cut_does_not_come_back() -> None:
    long = make_dead_letter(
        Record("image.stored", 0, 0, None, b"\x01" * 1_000_000), InvalidMessage("no"), handler="", attempts=1
    )
    assert long.whole_value is None
