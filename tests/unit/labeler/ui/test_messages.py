"""The sentences of the pages."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.labeler.ui import messages
from shared.clients.answers import (
    CorrectionWeight,
    DecidedLabel,
    HistoryEntry,
    LabelConflict,
    Prediction,
    PromotionView,
)
from shared.testing.events import NOON


def entry(**changes: Any) -> HistoryEntry:
    """Return a correction to grass that was applied."""
    values = dict.fromkeys(name for name, each in HistoryEntry.model_fields.items() if each.is_required()) | {
        "revision": 2,
        "label_to": "grass",
        "occurred_at": NOON,
        "reason": "",
        "state": "applied",
    }
    return HistoryEntry.model_validate(values | changes)


def prediction(label: str, share: float, corrections: int = 0) -> Prediction:
    """Return a prediction of the model."""
    other = "grass" if label == "dandelion" else "dandelion"
    return Prediction(
        prediction_id=uuid4(),
        label=label,
        probabilities={label: share, other: 1 - share},
        model_version="fast-1",
        model_sequence=1,
        trace_id=None,
        milliseconds=3.14,
        sha256="0" * 64,
        replica="0",
        corrections=[CorrectionWeight(image_id=uuid4(), weight=0.5)] * corrections,
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.08, "0.08 s"), (-1, "0.00 s"), (42, "42 s"), (300, "5 min"), (90000, "25 h")]
)
def test_a_duration_is_as_precise_as_a_person_needs_it(seconds: float, text: str) -> None:
    assert messages.duration(NOON, NOON + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("facts", "waiting", "text"),
    [
        (
            {"live_in": "fast-1", "live_at": NOON + timedelta(seconds=0.08)},
            True,
            "Your label **grass** is saved; live in `fast-1` after 0.08 s.",
        ),
        ({}, True, "Your label **grass** is saved. The model is learning it …"),
        (
            {},
            False,
            (
                "Your label **grass** is saved. The model in service does not follow it yet;"
                " it is tried again with the next label."
            ),
        ),
        (
            {"set_aside": "It breaks others."},
            True,
            (
                "Your label **grass** is saved. The model leaves it out for now: It breaks others."
                " The label stays, and the next full training tries it again."
            ),
        ),
        (
            {"label_to": None, "no_label": "withdrawn", "live_in": "fast-2", "live_at": NOON},
            True,
            "Your label is taken back; live in `fast-2` after 0.00 s.",
        ),
        ({"state": "superseded"}, True, "Your label **grass** was not applied: another one came first."),
    ],
)
def test_the_effect_of_a_correction_is_a_sentence(facts: dict[str, Any], waiting: bool, text: str) -> None:
    assert messages.correction_effect(entry(**facts), waiting=waiting) == text


def test_the_change_of_a_prediction_is_a_sentence() -> None:
    before, after = prediction("dandelion", 0.8), prediction("grass", 0.97)

    assert messages.prediction_change(before, after) == "The model said dandelion (80%); now it says **grass** (97%)."
    assert (
        messages.prediction_change(before, prediction("dandelion", 0.6))
        == "The model still says **dandelion**, 60% instead of 80%."
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "fast-1 · 3.1 ms"),
        (1, "fast-1 · 3.1 ms · 1 correction behind it"),
        (2, "fast-1 · 3.1 ms · 2 corrections behind it"),
    ],
)
def test_the_facts_of_a_prediction_are_one_line(number: int, text: str) -> None:
    assert messages.prediction_facts(prediction("grass", 0.9, number)) == text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("grass", "grass"),
        ("![x](http://evil.example/p.png)", r"!\[x\](http\://evil.example/p.png)"),
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        (":red[loud] :material/lock: :smile:", r"\:red\[loud\] \:material/lock: \:smile:"),
        ("**bold** _thin_ $x$ `code` ~gone~", r"\*\*bold\*\* \_thin\_ \$x\$ \`code\` \~gone\~"),
        ("www.evil.example a@b.example", r"www\.evil.example a\@b.example"),
        ("- point", r"\- point"),
        ("1. first", r"1\. first"),
        ("two\n\nlines\x1b[31m", r"two  lines \[31m"),
    ],
)
def test_data_is_shown_as_it_is(data: str, shown: str) -> None:
    assert messages.plain(data) == shown


def test_a_code_span_cannot_be_left() -> None:
    assert messages.code("v1` ![x](http://evil.example)") == "`v1  ![x](http://evil.example)`"


@pytest.mark.parametrize("operator", [True, False])
def test_a_freeze_names_who_and_why_and_an_operators_way_out(operator: bool) -> None:
    freeze = PromotionView(
        sequence=7,
        route="freeze",
        summary="olga froze promotions: the camera is broken",
        verdict=[],
        frozen=True,
        requested_by="olga",
        promoted_at=NOON,
    )
    said = messages.frozen(freeze, operator=operator)
    assert "olga froze promotions: the camera is broken." in said
    assert ("Lift the freeze on the page Models" in said) is operator


def decided(by: str, label: str | None, no_label: Any = None) -> DecidedLabel:
    return DecidedLabel(image_id=uuid4(), revision=1, label=label, no_label=no_label, decided_by=by, decided_at=NOON)


@pytest.mark.parametrize(
    ("person", "text"),
    [
        (
            "anna",
            (
                "berta labelled another file with the same pixels **none of these** later."
                " That counts for both, instead of your label **grass**."
            ),
        ),
        (
            "berta",
            (
                "anna labelled another file with the same pixels **grass** before."
                " Your label **none of these** is the later one: it counts for both."
            ),
        ),
    ],
)
def test_both_people_read_which_label_counts(person: str, text: str) -> None:
    conflict = LabelConflict(counting=decided("berta", None, "none_of_these"), overruled=decided("anna", "grass"))

    assert messages.label_conflict(conflict, person) == text
