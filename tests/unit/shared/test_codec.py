import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import testing
from shared.codec import decode, encode
from shared.errors import InvalidMessage
from shared.events import EVENTS, Event

FACTORIES: dict[str, Callable[..., Event]] = {
    event.topic: getattr(testing, event.topic.replace(".", "_")) for event in EVENTS
}


@pytest.mark.parametrize("topic", FACTORIES)
def test_an_event_comes_back_as_it_went(topic: str) -> None:
    event = FACTORIES[topic]()

    assert decode(topic, encode(event, "pappus/test")) == event


@pytest.mark.parametrize("topic", FACTORIES)
def test_an_event_is_a_cloud_event_that_names_its_topic_and_key(topic: str) -> None:
    event = FACTORIES[topic]()

    envelope = json.loads(encode(event, "pappus/test"))

    assert envelope["specversion"] == "1.0"
    assert envelope["type"] == topic
    assert envelope["source"] == "pappus/test"
    assert envelope["subject"] == event.key
    assert envelope["id"] == str(event.event_id)


def test_a_field_the_reader_does_not_know_is_ignored() -> None:
    event = testing.image_stored()
    envelope = json.loads(encode(event, "pappus/test"))
    envelope["data"]["invented_later"] = 1

    assert decode("image.stored", json.dumps(envelope).encode()) == event


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_rubbish_is_an_invalid_message_and_nothing_else(value: bytes) -> None:
    with pytest.raises(InvalidMessage):
        decode("image.stored", value)


def test_a_record_without_a_value_is_invalid() -> None:
    with pytest.raises(InvalidMessage, match="no value"):
        decode("image.stored", None)


def test_an_event_of_another_type_is_invalid() -> None:
    value = encode(testing.image_stored(), "pappus/test")

    with pytest.raises(InvalidMessage, match=r"image\.stored"):
        decode("image.rejected", value)


def test_a_topic_without_events_is_invalid() -> None:
    with pytest.raises(InvalidMessage, match="no events"):
        decode("no.such.topic", b"{}")


@pytest.mark.parametrize("text", ["a\x00b", "\\\x00"])
def test_a_nul_character_is_refused_on_both_sides(text: str) -> None:
    event = testing.label_corrected(reason=text)

    with pytest.raises(InvalidMessage, match="NUL"):
        encode(event, "pappus/test")
    envelope = json.loads(encode(testing.label_corrected(), "pappus/test"))
    envelope["data"]["reason"] = text
    with pytest.raises(InvalidMessage, match="NUL"):
        decode("label.corrected", json.dumps(envelope).encode())


def test_the_letters_that_spell_an_escape_are_no_nul_character() -> None:
    event = testing.label_corrected(reason="\\u0000 is how JSON spells it")

    assert decode("label.corrected", encode(event, "pappus/test")) == event
