"""The page of all events, from the contract: who publishes and reads each, its fields, an example."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.documents.asyncapi import ENVELOPE, example_of, summary_of
from shared.contract.events import EVENTS, Event
from shared.contract.topics import DAY_MS, TOPIC_OF_NAME, Topic

HEAD = """<!-- Written by `make generated` from shared/contract/events.py: change it there. -->
# Events

Each topic has one type of event, in the form of CloudEvents 1.0 (structured JSON). What is listed as fields stands in
`data`; `id` and `time` of the envelope are the event's id and when it happened. `causes` are the ids of the events that
led to it. The same as a document for tools: [asyncapi.json](asyncapi.json). Who has which right on the broker:
[access.md](access.md).

A reader takes fields that it does not know, and stops at a word of an enumeration that it does not know
([why](adr/0020-a-reader-stops-at-what-it-does-not-know.md)). A change that old events or older releases would not
survive is refused by `make generated` and by the tests.

| topic | means | published by | read by |
|---|---|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    return HEAD + "".join(_row(event) for event in EVENTS) + "".join(_section(event) for event in EVENTS)


def _row(event: type[Event]) -> str:
    first = summary_of(event).replace("\n", " ").split(". ")[0].rstrip(".").split(":")[0]
    link = f"[{event.topic}](#{event.topic.replace('.', '')})"
    return f"| {link} | {first} | {', '.join(event.publishers) or '-'} | {', '.join(event.readers) or '-'} |\n"


def _section(event: type[Event]) -> str:
    topic = TOPIC_OF_NAME[event.topic]
    key = example_of(event)["subject"]
    facts = (
        f"Published by: {', '.join(event.publishers) or 'none'}. Read by: {', '.join(event.readers) or 'none'}."
        f" Key: such as `{key}`. Partitions: {topic.partitions}. Kept: {_kept(topic)}."
    )
    fields = "".join(_fields(event))
    example = json.dumps(_short(example_of(event)), indent=2, ensure_ascii=False)
    return (
        f"\n## {event.topic}\n\n{summary_of(event)}\n\n{facts}\n\n| field | type | |\n|---|---|---|\n{fields}\n"
        f"```json\n{example}\n```\n"
    )


def _kept(topic: Topic) -> str:
    days = topic.retention_ms // DAY_MS
    if topic.replaced_ms is not None:
        return f"the last of each key without limit (compacted), others {topic.replaced_ms // DAY_MS} days"
    return f"{days} day{'s' if days > 1 else ''}" if topic.time_limited else "without limit"


def _fields(event: type[Event]) -> Iterator[str]:
    schema = event.model_json_schema(mode="serialization")
    for name, described in schema["properties"].items():
        if name in ENVELOPE:
            continue
        default = "" if name in schema.get("required", ()) else f"if left out: `{json.dumps(described.get('default'))}`"
        yield f"| `{name}` | {_kind(described)} | {default} |\n"


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {_kind(schema['additionalProperties'])}"
    return str(schema.get("format", kind))


def _short(value: Any) -> Any:
    """Return an example that fits on a screen: of long lists the first three."""
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_short(each) for each in value[:3]]
    return value
