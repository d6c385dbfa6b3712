"""The events as an AsyncAPI 3 document, from the contract and the recorded examples."""

import inspect
import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from shared.contract.events import EVENTS, Event
from shared.contract.topics import TOPIC_OF_NAME
from shared.messaging.codec import CONTENT_TYPE

EXAMPLES = Path(__file__).parents[2] / "tests" / "contract" / "examples"
SCHEMAS = "#/components/schemas/{model}"
ENVELOPE = ("event_id", "occurred_at")
"""Fields of an event that are attributes of the CloudEvents envelope: id and time."""
ABOUT = (
    "Every event of Pappus on Apache Kafka: CloudEvents 1.0 in structured JSON mode, one type for each topic. Made from"
    " shared/contract/events.py by `make generated`."
)


def document() -> dict[str, Any]:
    """Return the document."""
    _, definitions = models_json_schema(
        [(event, "serialization") for event in EVENTS], ref_template=SCHEMAS, by_alias=True
    )
    schemas = {name: _data(schema) for name, schema in definitions["$defs"].items()}
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Pappus", "version": "1.0.0", "description": ABOUT, "license": {"name": "Apache-2.0"}},
        "defaultContentType": CONTENT_TYPE,
        "servers": {"kafka": {"host": "127.0.0.1:29092", "protocol": "kafka", "description": "The local stack."}},
        "channels": {_id(event): _channel(event) for event in EVENTS},
        "operations": {name: operation for event in EVENTS for name, operation in _operations(event).items()},
        "components": {"messages": {event.__name__: _message(event) for event in EVENTS}, "schemas": schemas},
    }


def example_of(event: type[Event]) -> dict[str, Any]:
    """Return the newest recorded message of a topic."""
    newest = sorted((EXAMPLES / event.topic).glob("v*/*.json"))[-1]
    recorded: dict[str, Any] = json.loads(newest.read_text())
    return recorded


def summary_of(event: type[Event]) -> str:
    """Return what an event means, as its class says it."""
    return inspect.cleandoc(event.__doc__ or "")


def _id(event: type[Event]) -> str:
    return event.__name__[0].lower() + event.__name__[1:]


def _data(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what stands in `data`: without what the envelope says."""
    properties = {name: each for name, each in schema.get("properties", {}).items() if name not in ENVELOPE}
    required = [name for name in schema.get("required", ()) if name not in ENVELOPE]
    without = {key: value for key, value in schema.items() if key not in ("properties", "required")}
    return without | ({"properties": properties} if properties else {}) | ({"required": required} if required else {})


def _channel(event: type[Event]) -> dict[str, Any]:
    topic = TOPIC_OF_NAME[event.topic]
    configuration: dict[str, Any] = {
        "cleanup.policy": [topic.cleanup],
        "retention.ms": topic.retention_ms,
        "max.message.bytes": topic.max_bytes,
    }
    return {
        "address": topic.name,
        "description": summary_of(event),
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(event: type[Event]) -> dict[str, dict[str, Any]]:
    channel = {"$ref": f"#/channels/{_id(event)}"}
    sending = {
        f"{who}Sends{event.__name__}": {"action": "send", "channel": channel, "summary": f"{who} publishes it."}
        for who in event.publishers
    }
    receiving = {
        f"{who}Reads{event.__name__}": {"action": "receive", "channel": channel, "summary": f"{who} reads it."}
        for who in event.readers
    }
    return sending | receiving


def _message(event: type[Event]) -> dict[str, Any]:
    text = {"type": "string"}
    envelope = {
        "specversion": {"const": "1.0"},
        "id": {**text, "format": "uuid", "description": "The same for the same event, however often it is sent."},
        "source": {**text, "description": "Who published it, for example pappus/trainer-gate."},
        "type": {"const": event.topic},
        "subject": {**text, "description": "The Kafka key."},
        "time": {**text, "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"$ref": SCHEMAS.format(model=event.__name__)},
    }
    required = ["specversion", "id", "source", "type", "subject", "time", "data"]
    return {
        "name": event.topic,
        "title": event.__name__,
        "summary": summary_of(event).split("\n\n")[0].replace("\n", " "),
        "contentType": CONTENT_TYPE,
        "payload": {"type": "object", "properties": envelope, "required": required},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
        "examples": [{"name": "recorded", "payload": example_of(event)}],
    }
