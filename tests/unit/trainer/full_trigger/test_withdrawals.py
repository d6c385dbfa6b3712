"""What the trigger counts when labels are taken away."""

from typing import Any

import pytest

from services.trainer.full_trigger.decisions.rows import (
    NOTHING_TRAINED,
    CorrectionRow,
    ImageRow,
    RecordPosition,
    TrainingRow,
    on_image_stored,
    on_label_corrected,
)
from services.trainer.full_trigger.decisions.state import state_of
from services.trainer.full_trigger.decisions.training_due import State
from shared.contract.events import HeldLabel, LabelCorrected, Trust
from shared.testing import image_stored, label_corrected

IMAGE = image_stored(label="dandelion", trust="seed")
KEY = str(IMAGE.image_id)


def position(topic: str, offset: int) -> RecordPosition:
    return RecordPosition(f"{topic}/0", offset, 100.0 + offset)


def correct(**changes: Any) -> LabelCorrected:
    return label_corrected(image_id=IMAGE.image_id, **changes)


def take_away(revision: int, **changes: Any) -> LabelCorrected:
    return correct(**{"label_to": None, "no_label": "withdrawn", "revision": revision, **changes})


def state(corrections: list[LabelCorrected], *, known: int | None = None, trust: Trust = "seed") -> State:
    """Return the state after these corrections; the last full manifest was cut after the first `known` of them."""
    row: CorrectionRow | None = None
    for offset, event in enumerate(corrections):
        row = on_label_corrected(row, event, position("label.corrected", offset))
    stored: ImageRow = on_image_stored(None, IMAGE.model_copy(update={"trust": trust}), position("image.stored", 0))
    training: TrainingRow = NOTHING_TRAINED
    if known is not None:
        offsets = {"image.stored/0": 1, "label.corrected/0": known}
        training = {**NOTHING_TRAINED, "last": {"at": 500.0, "cut_at": 500.0, "positions": offsets}}
    return state_of({KEY: stored}, {} if row is None else {KEY: row}, training, ("dandelion", "grass"))


def trusted(state: State) -> dict[str, int]:
    return {label: len(arrivals) for label, arrivals in state.trusted.items()}


@pytest.mark.parametrize("trust", ["seed", "claimed"])
def test_a_correction_and_its_undo_give_the_state_of_before(trust: Trust) -> None:
    corrections = [correct(label_to="grass"), take_away(2)]
    assert state(corrections, trust=trust) == state([], trust=trust)
    assert state(corrections, known=0, trust=trust) == state([], known=0, trust=trust)


def test_an_undo_of_a_label_that_was_trained_is_one_change() -> None:
    after = state([correct(label_to="grass"), take_away(2)], known=1)
    assert (trusted(after), len(after.new_corrections)) == ({"dandelion": 1, "grass": 0}, 1)


def test_a_restored_decision_has_its_label() -> None:
    restored = HeldLabel(revision=1, label="grass")
    after = state(
        [correct(label_to="grass"), correct(label_to="dandelion", revision=2), take_away(3, restored=restored)]
    )
    assert trusted(after) == {"dandelion": 0, "grass": 1}


def test_an_unusable_image_leaves_the_data_set() -> None:
    after = state([take_away(1, no_label="unusable")], known=0)
    assert (trusted(after), len(after.new_corrections)) == ({"dandelion": 0, "grass": 0}, 1)


def test_an_unusable_image_that_no_model_knows_changes_nothing() -> None:
    after = state([take_away(1, no_label="unusable")], known=0, trust="claimed")
    assert (after.new_images, after.new_corrections) == ([], [])


def test_an_image_labelled_again_after_an_undo_is_new() -> None:
    corrections = [correct(label_to="grass"), take_away(2), correct(label_to="grass", revision=3)]
    assert len(state(corrections, known=2, trust="claimed").new_images) == 1


def test_a_row_of_an_earlier_release_is_read() -> None:
    row = on_label_corrected(None, correct(label_to="grass"), position("label.corrected", 0))
    assert row is not None
    del row["held"]
    after = on_label_corrected(row, take_away(2), position("label.corrected", 1))
    assert after is not None
    assert (after["label"], after.get("held")) == (None, [1, 0])
