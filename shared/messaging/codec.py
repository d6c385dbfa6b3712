"""Events as Kafka values: CloudEvents 1.0 in structured JSON mode (the Kafka protocol binding of CloudEvents 1.0.2)."""

import json
import re
from datetime import UTC
from typing import Any, cast

from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event, to_structured_event
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent
from pydantic import ConfigDict, TypeAdapter, ValidationError

from shared.contract.access import may_publish
from shared.contract.events import EVENT_OF_TOPIC, Event
from shared.messaging.event_log import Record
from shared.runtime.errors import InvalidMessage, PappusError, UnknownContent

CONTENT_TYPE = "application/cloudevents+json"
_SUSPECT = re.compile(rb"u0000|\\u[Dd][89A-Fa-f]|NaN|Infinity")
"""Without any of these the JSON text that Python writes holds nothing that no table can keep."""
_NOT_FINITE = b"NaN", b"Infinity"
_to_json = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants")).dump_json


def encode(event: Event, source: str) -> bytes:
    """Return the event as structured JSON. `source` names the publishing service, for example "pappus/ingestor".

    Raises:
        PappusError: if this source may not publish such an event (`shared.contract.access`).
        InvalidMessage: if it holds what no table can keep, see `_unkeepable`.
    """
    if not may_publish(source, type(event)):
        raise PappusError(f"{source} may not publish {event.topic}: its publishers stand in shared/contract/events.py.")
    attributes = {
        "id": str(event.event_id),
        "source": source,
        "type": event.topic,
        "specversion": "1.0",
        "subject": event.key,
        "time": event.occurred_at,
        "datacontenttype": "application/json",
    }
    data = event.model_dump(mode="json", exclude={"event_id", "occurred_at"})
    value = to_structured_event(CloudEvent(attributes, data), key_mapper=lambda _: None).value
    if _SUSPECT.search(value) and (found := _unkeepable(value, data)):
        raise InvalidMessage(f"An event on {event.topic} holds {found}, which no table can keep: remove it.")
    return value


def _unkeepable(value: bytes, data: object) -> str | None:
    """Return what PostgreSQL refuses in an event, so that it would stop every projection: a NUL character, half a
    surrogate pair, NaN or an infinity. `value` is the JSON text, `data` the event in it."""
    if b"u0000" in value and _holds_nul(value):
        return "a NUL character"
    try:
        text = _to_json(data)  # a fifth of the time of json.dumps, which decides where this does not
    except ValueError:
        pass  # half a surrogate pair, or deeper than this writes
    else:
        if not any(word in text for word in _NOT_FINITE):
            return None
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return "half a surrogate pair"
    except ValueError:
        return "a number that is not finite"
    return None


def _holds_nul(value: bytes) -> bool:
    """Return whether JSON text has an escaped U+0000."""
    return any(len(slashes) % 2 for slashes in re.findall(rb"(\\+)u0000", value))


def decode_record(record: Record) -> Event:
    """Return the event in a record.

    Raises:
        InvalidMessage: as `decode`, and if the client could not read the record.
        UnknownContent: as `decode`.
    """
    if record.unreadable is not None:
        raise InvalidMessage(record.unreadable)
    return decode(record.topic, record.value)


def decode(topic: str, value: bytes | None) -> Event:
    """Return the event in a record of `topic`.

    Raises:
        InvalidMessage: if the topic carries no events, or the value is not an event of this topic.
        UnknownContent: if it is one, with a value that this release does not know.
    """
    model = EVENT_OF_TOPIC.get(topic)
    if model is None:
        raise InvalidMessage(f"Topic {topic} carries no events of Pappus.")
    if value is None:
        raise InvalidMessage(f"A record on {topic} has no value; an event was expected.")
    try:
        message = KafkaMessage(headers={"content-type": CONTENT_TYPE.encode()}, key=None, value=value)
        envelope = from_structured_event(message)
        if envelope.get_type() != topic:
            raise InvalidMessage(f"A record on {topic} says it is of type {envelope.get_type()!r}.")
        if not may_publish(envelope.get_source(), model):
            raise InvalidMessage(
                f"A record on {topic} says it is from {envelope.get_source()!r}, which may not write it."
            )
        data = cast("dict[str, Any] | None", envelope.get_data())
        if found := _unkeepable(value, data):
            raise InvalidMessage(f"A record on {topic} holds {found}, which no table can keep.")
        event = model.model_validate(
            {**(data or {}), "event_id": envelope.get_id(), "occurred_at": envelope.get_time()}
        )
        event.occurred_at.astimezone(UTC)  # a time that is in no year there cannot be stored
    except RecursionError as error:
        raise InvalidMessage(f"A record on {topic} is nested too deeply.") from error
    except ValidationError as error:
        if _is_unknown_content(error):
            raise UnknownContent(
                f"A record on {topic} holds what this release does not know: {_list_unknown(error)}. A newer release"
                " wrote it: install that release. Nothing is skipped; reading goes on by itself then."
            ) from error
        raise InvalidMessage(f"A record on {topic} is not a valid {model.__name__}: {error}") from error
    except (CloudEventValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidMessage(f"A record on {topic} is not a valid {model.__name__}: {error}") from error
    except (
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:  # what the library raises on JSON of another shape
        raise InvalidMessage(f"A record on {topic} is not a CloudEvent: {error!r}") from error
    return event


def _is_unknown_content(error: ValidationError) -> bool:
    """Return whether nothing is wrong but values outside of a list of words, or nulls where a value was expected: what
    a newer release may write, and `encode` of this one never does."""
    return all(detail["type"] == "literal_error" or detail["input"] is None for detail in error.errors())


def _list_unknown(error: ValidationError) -> str:
    """Return the fields with their unknown values, for people."""
    return ", ".join(
        f"{'.'.join(map(str, detail['loc']))} = {str(detail['input'])[:100]!r}" for detail in error.errors()
    )
