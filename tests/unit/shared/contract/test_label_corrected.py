"""What a label.corrected says: a label, or none and why."""

import pytest
from pydantic import ValidationError

from shared.contract.events import HeldLabel
from shared.testing import label_corrected

GRASS = HeldLabel(revision=1, label="grass")


def test_a_label_holds_from_its_own_revision() -> None:
    assert label_corrected(label_to="grass", revision=3).holds == HeldLabel(revision=3, label="grass")


def test_an_unusable_image_holds_no_label() -> None:
    event = label_corrected(label_to=None, no_label="unusable", revision=2)
    assert event.holds == HeldLabel(revision=2, label=None, no_label="unusable")


def test_a_withdrawal_leaves_the_image_as_it_was_stored() -> None:
    assert label_corrected(label_to=None, no_label="withdrawn").holds is None


def test_a_withdrawal_restores_the_decision_before() -> None:
    assert label_corrected(label_to=None, no_label="withdrawn", revision=3, restored=GRASS).holds == GRASS


@pytest.mark.parametrize(
    "changes",
    [
        {"label_to": None},
        {"label_to": "grass", "no_label": "unsure"},
        {"label_to": None, "no_label": "lost"},
        {"label_to": None, "no_label": "unsure", "revision": 2, "restored": GRASS},
        {"label_to": None, "no_label": "withdrawn", "revision": 1, "restored": GRASS},
    ],
)
def test_a_correction_that_says_two_things_is_invalid(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        label_corrected(**changes)
