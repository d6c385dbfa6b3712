import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import testing
from shared.contract.events import EVENTS, Event
from shared.messaging.codec import decode, encode
from shared.runtime.errors import InvalidMessage, UnknownContent

FACTORIES: dict[str, Callable[..., Event]] = {
    event.topic: getattr(testing, event.topic.replace(".", "_")) for event in EVENTS
}


@pytest.mark.parametrize("topic", FACTORIES)
def test_an_event_comes_back_as_it_went(topic: str) -> None:
    event = FACTORIES[topic]()

    assert decode(topic, encode(event, "pappus/jobs")) == event


@pytest.mark.parametrize("topic", FACTORIES)
def test_an_event_is_a_cloud_event_that_names_its_topic_and_key(topic: str) -> None:
    event = FACTORIES[topic]()

    envelope = json.loads(encode(event, "pappus/jobs"))

    assert envelope["specversion"] == "1.0"
    assert envelope["type"] == topic
    assert envelope["source"] == "pappus/jobs"
    assert envelope["subject"] == event.key
    assert envelope["id"] == str(event.event_id)


def test_a_field_the_reader_does_not_know_is_ignored() -> None:
    event = testing.image_stored()
    envelope = json.loads(encode(event, "pappus/jobs"))
    envelope["data"]["invented_later"] = 1

    assert decode("image.stored", json.dumps(envelope).encode()) == event


@pytest.mark.parametrize(
    ("topic", "field", "value"),
    [
        ("image.stored", "trust", "inherited"),
        ("model.trained", "lane", "medium"),
        ("promotion.requested", "action", "pause"),
        ("label.corrected", "corrected_by", None),
    ],
)
def test_a_word_or_null_of_a_newer_release_is_unknown_content(topic: str, field: str, value: object) -> None:
    with pytest.raises(UnknownContent, match=rf"{field} = .*newer release"):
        decode(topic, changed(FACTORIES[topic](), **{field: value}))


@pytest.mark.parametrize(
    ("topic", "field"),
    [
        ("image.rejected", "reason"),
        ("model.promoted", "route"),
        ("prediction.logged", "source"),
        ("training.requested", "reason"),
    ],
)
def test_a_new_word_that_only_informs_is_read(topic: str, field: str) -> None:
    event = decode(topic, changed(FACTORIES[topic](), **{field: "invented_later"}))
    assert getattr(event, field) == "invented_later"


def test_a_wrong_type_beside_an_unknown_word_is_invalid() -> None:
    with pytest.raises(InvalidMessage):
        decode("image.stored", changed(FACTORIES["image.stored"](), trust="inherited", size_bytes="many"))


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=20), lambda value: st.lists(value, max_size=3), max_leaves=10
)


@given(st.binary(max_size=60) | JSON_VALUES.map(json.dumps).map(str.encode))
def test_rubbish_is_an_invalid_message_and_nothing_else(value: bytes) -> None:
    with pytest.raises(InvalidMessage):
        decode("image.stored", value)


def test_a_record_without_a_value_is_invalid() -> None:
    with pytest.raises(InvalidMessage, match="no value"):
        decode("image.stored", None)


def test_an_event_of_another_type_is_invalid() -> None:
    value = encode(testing.image_stored(), "pappus/jobs")

    with pytest.raises(InvalidMessage, match=r"image\.stored"):
        decode("image.rejected", value)


def test_a_topic_without_events_is_invalid() -> None:
    with pytest.raises(InvalidMessage, match="no events"):
        decode("no.such.topic", b"{}")


@pytest.mark.parametrize("text", ["a\x00b", "\\\x00"])
def test_a_nul_character_is_refused_on_both_sides(text: str) -> None:
    event = testing.label_corrected(reason=text)

    with pytest.raises(InvalidMessage, match="NUL"):
        encode(event, "pappus/jobs")
    envelope = json.loads(encode(testing.label_corrected(), "pappus/jobs"))
    envelope["data"]["reason"] = text
    with pytest.raises(InvalidMessage, match="NUL"):
        decode("label.corrected", json.dumps(envelope).encode())


def test_the_letters_that_spell_an_escape_are_no_nul_character() -> None:
    event = testing.label_corrected(reason="\\u0000 is how JSON spells it")

    assert decode("label.corrected", encode(event, "pappus/jobs")) == event


@pytest.mark.parametrize("half", ["the first \ud83c", "the second \udf3c"])
def test_half_a_surrogate_pair_is_refused_on_both_sides(half: str) -> None:
    with pytest.raises(InvalidMessage, match="surrogate"):
        encode(testing.label_corrected(reason=half), "pappus/jobs")
    with pytest.raises(InvalidMessage, match="surrogate"):
        decode("label.corrected", changed(testing.label_corrected(), reason=half))


def test_a_whole_surrogate_pair_is_a_character() -> None:
    event = testing.label_corrected(reason="a sunflower: \U0001f33b")

    assert decode("label.corrected", encode(event, "pappus/jobs")) == event


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_on_both_sides(number: float) -> None:
    with pytest.raises(InvalidMessage, match="finite"):
        encode(testing.model_trained(metrics={"log_loss": number}), "pappus/jobs")
    with pytest.raises(InvalidMessage, match="finite"):
        decode("model.trained", changed(testing.model_trained(), metrics={"log_loss": number}))


@pytest.mark.parametrize("number", [b"1e999", b"-1E+400", b"1" + 400 * b"0" + b".5"])
def test_a_number_that_is_too_large_for_a_column_is_not_finite(number: bytes) -> None:
    value = changed(testing.model_trained(), metrics={"log_loss": 12.25}).replace(b"12.25", number)

    with pytest.raises(InvalidMessage, match="finite"):
        decode("model.trained", value)


@pytest.mark.parametrize("reason", ["NaN is no label", "Infinity"])
def test_words_that_spell_such_a_number_are_text(reason: str) -> None:
    event = testing.label_corrected(reason=reason)

    assert decode("label.corrected", encode(event, "pappus/jobs")) == event


def test_a_field_of_a_newer_release_may_be_deep() -> None:
    deep: object = None
    for _ in range(400):
        deep = [deep]
    event = testing.label_corrected()

    assert decode("label.corrected", changed(event, invented_later=deep)) == event


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_nested_too_deeply_is_invalid(value: bytes) -> None:
    with pytest.raises(InvalidMessage, match="deeply"):
        decode("image.stored", value)


@pytest.mark.parametrize(
    ("topic", "field"),
    [
        ("label.corrected", "revision"),
        ("image.registered", "attempt"),
        ("image.rejected", "attempt"),
        ("image.stored", "size_bytes"),
        ("image.stored", "width"),
        ("image.stored", "height"),
        ("model.promoted", "sequence"),
        ("model.rejected", "set_aside"),
    ],
)
def test_a_number_that_no_integer_column_keeps_is_invalid(topic: str, field: str) -> None:
    def value(number: int) -> object:
        if field == "set_aside":
            return [{"image_id": str(uuid4()), "revision": number, "sentence": "It broke an answer."}]
        return number

    decode(topic, changed(FACTORIES[topic](), **{field: value(2**31 - 1)}))
    for number in (2**31, 2**40, -1):
        with pytest.raises(InvalidMessage):
            decode(topic, changed(FACTORIES[topic](), **{field: value(number)}))


def test_a_time_before_the_first_year_is_invalid() -> None:
    envelope = json.loads(encode(testing.image_stored(), "pappus/jobs"))
    envelope["time"] = "0001-01-01T00:00:00+23:00"

    with pytest.raises(InvalidMessage):
        decode("image.stored", json.dumps(envelope).encode())


def changed(event: Event, **fields: object) -> bytes:
    """Return the event with other values in its data, as a publisher without our rules might write it."""
    envelope = json.loads(encode(event, "pappus/jobs"))
    envelope["data"] |= fields
    return json.dumps(envelope).encode()
