"""Recorded messages must always parse: a change of an event shows here what it does to the logs that exist."""

from pathlib import Path

import pytest

from shared.contract.events import EVENTS
from shared.messaging.codec import decode, encode

EXAMPLES = Path(__file__).parent / "examples"
FILES = sorted(EXAMPLES.glob("*/v*/*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(EXAMPLES)))
def test_a_recorded_message_still_parses_and_keeps_its_meaning(file: Path) -> None:
    topic = file.relative_to(EXAMPLES).parts[0]

    event = decode(topic, file.read_bytes())

    assert decode(topic, encode(event, "pappus/jobs")) == event


@pytest.mark.parametrize("topic", [event.topic for event in EVENTS])
def test_every_event_has_a_recorded_message(topic: str) -> None:
    assert list((EXAMPLES / topic).glob("v*/*.json"))
