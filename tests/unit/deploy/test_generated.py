"""What is made from code is what the code makes now, and no change of the events breaks who reads old ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.documents.compatibility import find_breaks
from infra.generate import breaks, files
from shared.contract.events import EVENTS

ROOT = Path(__file__).parents[3]
OLD: dict[str, Any] = {
    "ImageStored": {
        "properties": {
            "sha256": {"type": "string"},
            "label": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "trust": {"enum": ["claimed", "seed"], "type": "string"},
            "causes": {"type": "array", "items": {"type": "string", "format": "uuid"}},
            "held": {"$ref": "#/components/schemas/HeldLabel"},
        },
        "required": ["sha256"],
    }
}


def changed(**fields: Any) -> dict[str, Any]:
    """Return OLD with other fields; None takes a field away."""
    properties = {**OLD["ImageStored"]["properties"], **fields}
    return {"ImageStored": {**OLD["ImageStored"], "properties": {k: v for k, v in properties.items() if v is not None}}}


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_generated_file_is_what_the_code_makes(file: Path) -> None:
    assert file.read_text() == files()[file], "Run: make generated"


def test_the_events_change_compatibly() -> None:
    assert breaks() == []


def test_the_document_names_every_topic_with_an_example_of_it() -> None:
    document = json.loads((ROOT / "docs/asyncapi.json").read_text())
    assert {channel["address"] for channel in document["channels"].values()} == {event.topic for event in EVENTS}
    for event in EVENTS:
        (example,) = document["components"]["messages"][event.__name__]["examples"]
        assert example["payload"]["type"] == event.topic


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({}, "ImageStored is gone."),
        (changed(sha256=None), "ImageStored.sha256 is gone"),
        (changed(sha256={"type": "integer"}), "ImageStored.sha256 no longer takes string"),
        (changed(label={"type": "string"}), "ImageStored.label no longer takes null"),
        (changed(trust={"enum": ["claimed"], "type": "string"}), "no longer takes the value 'seed'"),
        (changed(causes={"type": "array", "items": {"type": "integer"}}), "no longer takes a list of string"),
        (changed(held={"$ref": "#/components/schemas/Other"}), "no longer takes HeldLabel"),
        ({"ImageStored": {**OLD["ImageStored"], "required": ["sha256", "label"]}}, "label is required now"),
    ],
)
def test_a_change_that_breaks_a_reader_is_named(after: dict[str, Any], said: str) -> None:
    (found,) = find_breaks(OLD, after)
    assert said in found


@pytest.mark.parametrize(
    "after",
    [
        OLD,
        changed(fresh={"type": "string"}),
        changed(sha256={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        changed(trust={"enum": ["claimed", "seed", "reviewed"], "type": "string"}),
        {**OLD, "ImageSeen": {"properties": {}}},
    ],
)
def test_what_is_only_added_breaks_no_reader(after: dict[str, Any]) -> None:
    assert find_breaks(OLD, after) == []
