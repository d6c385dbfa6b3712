"""What the pages say."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.labeler.ui import messages as words
from services.labeler.ui.clients import Answer, Weight
from services.labeler.views import HistoryEntry
from shared.testing.events import NOON


def entry(**changes: Any) -> HistoryEntry:
    """A correction to grass that was applied."""
    values = dict.fromkeys(HistoryEntry.model_fields) | {
        "revision": 2,
        "label_to": "grass",
        "occurred_at": NOON,
        "reason": "",
        "state": "applied",
    }
    return HistoryEntry.model_validate(values | changes)


def answer(label: str, share: float, corrections: int = 0) -> Answer:
    """An answer of the model."""
    other = "grass" if label == "dandelion" else "dandelion"
    return Answer(
        prediction_id=uuid4(),
        label=label,
        probabilities={label: share, other: 1 - share},
        model_version="fast-1",
        milliseconds=3.14,
        corrections=[Weight(image_id=uuid4(), weight=0.5)] * corrections,
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.08, "0.08 s"), (-1, "0.00 s"), (42, "42 s"), (300, "5 min"), (90000, "25 h")]
)
def test_a_duration_is_as_precise_as_a_person_cares(seconds: float, text: str) -> None:
    assert words.duration(NOON, NOON + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("facts", "waiting", "text"),
    [
        (
            {"live_in": "fast-1", "live_at": NOON + timedelta(seconds=0.08)},
            True,
            "Your correction to **grass** is revision 2; live in `fast-1` after 0.08 s.",
        ),
        ({}, True, "Your correction to **grass** is revision 2. The model is learning it …"),
        (
            {},
            False,
            (
                "Your correction to **grass** is revision 2. No model in service holds it yet."
                " If this stays so, ask an operator whether promotions are frozen."
            ),
        ),
        (
            {"set_aside": "It breaks others."},
            True,
            (
                "Your correction to **grass** is revision 2. It is set aside for now: It breaks others."
                " The label stays; the next full training takes it up again."
            ),
        ),
        ({"state": "superseded"}, True, "Your correction to **grass** came second and was not applied."),
    ],
)
def test_the_effect_of_a_correction_is_told(facts: dict[str, Any], waiting: bool, text: str) -> None:
    assert words.effect(entry(**facts), waiting=waiting) == text


def test_the_change_of_an_answer_is_told() -> None:
    before, after = answer("dandelion", 0.8), answer("grass", 0.97)

    assert words.change(before, after) == "The model said dandelion (80%); now it says **grass** (97%)."
    assert words.change(before, answer("dandelion", 0.6)) == "The model still says **dandelion**, 60% instead of 80%."


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "fast-1 · 3.1 ms"),
        (1, "fast-1 · 3.1 ms · 1 correction behind it"),
        (2, "fast-1 · 3.1 ms · 2 corrections behind it"),
    ],
)
def test_the_facts_of_an_answer_are_told(number: int, text: str) -> None:
    assert words.answer_facts(answer("grass", 0.9, number)) == text
