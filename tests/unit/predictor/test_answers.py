"""The answer about one image."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.predictor.decisions.answers import (
    NAMED_CORRECTIONS,
    Output,
    PredictionContext,
    answer_of,
    logged_answer,
    used_corrections,
)
from shared.contract.artefact import ArtefactMetadata
from tests.unit.predictor.small_model import METADATA


def floats(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


def corrected(rows: int) -> ArtefactMetadata:
    return replace(METADATA, corrections=tuple((UUID(int=row), 1) for row in range(rows)))


def test_the_likeliest_label_is_the_answer() -> None:
    answer = answer_of(Output(floats(0.25, 0.75), floats(1, 2, 3), floats(0)), METADATA)
    assert answer.label == "grass"
    assert answer.probabilities == {"dandelion": 0.25, "grass": 0.75}
    assert len(answer.projection) == 16


def test_near_corrections_are_named_heaviest_first_and_far_ones_are_not() -> None:
    used = used_corrections(floats(0.2, 0.9, 0.1, 1.0), corrected(4))
    assert [(each.image_id.int, each.weight) for each in used] == [
        (3, 1.0),
        (1, pytest.approx(0.9)),
        (0, pytest.approx(0.2)),
    ]


def test_a_correction_with_several_rows_is_named_once() -> None:
    """The rows of an image and of its mirror image; three other corrections find their place beside them."""
    rows = (UUID(int=0), UUID(int=0), UUID(int=1), UUID(int=1), UUID(int=2), UUID(int=3))
    metadata = replace(METADATA, corrections=tuple((image_id, 1) for image_id in rows))
    used = used_corrections(floats(0.7, 0.9, 0.8, 0.75, 0.3, 0.2), metadata)
    assert [each.image_id.int for each in used] == [0, 1, 2]
    assert [each.weight for each in used] == pytest.approx([0.9, 0.8, 0.3])


def test_the_row_of_an_empty_layer_is_nobodys_correction() -> None:
    assert used_corrections(floats(1.0), METADATA) == ()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1, width=32), max_size=40))
def test_at_most_three_corrections_are_named_and_none_heavier_is_left_out(weights: list[float]) -> None:
    used = used_corrections(floats(*weights), corrected(len(weights)))
    named = [each.weight for each in used]
    assert len(used) <= NAMED_CORRECTIONS
    assert named == sorted(named, reverse=True)
    left_out = [w for row, w in enumerate(weights) if row not in {each.image_id.int for each in used}]
    if len(used) == NAMED_CORRECTIONS:
        assert max(left_out, default=0) <= named[-1] + 1e-6
    else:
        assert max(left_out, default=0) < 0.136


def test_what_is_logged_says_which_version_answered_about_what_and_when() -> None:
    answer = answer_of(Output(floats(0.25, 0.75), floats(1, 2, 3), floats(0)), METADATA)
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    logged = logged_answer(answer, PredictionContext("fast-1", "a" * 64, 1.5, "d" * 16), UUID(int=7), noon)
    assert (logged.prediction_id, logged.answered_at, logged.label) == (UUID(int=7), noon, "grass")
    assert (logged.model_version, logged.sha256, logged.milliseconds) == ("fast-1", "a" * 64, 1.5)
    assert (logged.drift_reference, logged.projection) == ("d" * 16, answer.projection)


def test_what_is_logged_names_each_near_correction_with_its_weight() -> None:
    answer = answer_of(Output(floats(0.25, 0.75), floats(1, 2, 3), floats(0.5, 0.9, 0.01)), corrected(3))
    origin = PredictionContext("fast-1", "a" * 64, 1.5)
    logged = logged_answer(answer, origin, UUID(int=7), datetime(2025, 6, 1, 12, tzinfo=UTC))
    assert logged.corrections == (UUID(int=1), UUID(int=0))
    assert logged.correction_weights == pytest.approx((0.9, 0.5), abs=1e-6)
