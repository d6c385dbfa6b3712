"""The layer on the features themselves, as in artefacts of format 1; in a space: test_correction_layer_in_a_space."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.trainer.model.correction_layer import (
    MARGIN,
    CorrectionLayer,
    empty_layer,
    fit_layer,
    kernel_weights,
    layer_logits,
    most_responsible,
    own_rows,
)
from services.trainer.model.layer_rows import margins
from services.trainer.model.layer_space import unit_length
from shared.contract.artefact import CorrectionEntry


def entries(count: int) -> list[CorrectionEntry]:
    return [(UUID(int=number), 1) for number in range(count)]


def some_features(images: int, seed: int, width: int = 200) -> NDArray[np.float32]:
    """Return features of distinct images: cosines of 0.4 or so, like images that are not alike."""
    return np.abs(np.random.default_rng(seed).normal(0, 1, (images, width))).astype(np.float32)


@given(st.integers(1, 25), st.integers(2, 6), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_every_corrected_image_is_answered_as_corrected(images: int, classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    features = some_features(images, seed)
    base = generator.normal(0, 2, (images, classes)).astype(np.float32)
    targets = generator.integers(0, classes, images)
    layer = fit_layer(features, base, targets, entries(images))
    answered = base + layer_logits(layer, features)
    assert np.array_equal(answered.argmax(axis=1), targets)
    assert margins(answered, targets).min() > MARGIN - 0.3


def test_a_correction_that_is_already_right_by_more_is_left_alone() -> None:
    features = some_features(3, 0)
    base = np.array([[MARGIN + 1, 0.0], [0.0, 3.0], [MARGIN - 1, 0.0]], dtype=np.float32)
    layer = fit_layer(features, base, np.array([0, 0, 0]), entries(3))
    assert [image_id.int for image_id, _ in layer.entries] == [1, 2]


def test_a_correction_that_others_would_push_over_is_held() -> None:
    """Two near-copies: the head has the first right by two logits, the second far wrong, with the other label."""
    first = some_features(1, 1)
    second = first + 0.25 * some_features(1, 2)
    features = np.concatenate((first, second))
    base = np.array([[2.0, 0.0], [4.0, 0.0]], dtype=np.float32)
    targets = np.array([0, 1])
    layer = fit_layer(features, base, targets, entries(2))
    assert len(layer.entries) == 2
    assert np.array_equal((base + layer_logits(layer, features)).argmax(axis=1), targets)


def test_far_from_every_correction_nothing_changes() -> None:
    features = np.eye(4, dtype=np.float32)
    layer = fit_layer(features[:2], np.array([[2.0, 0.0]] * 2, np.float32), np.array([1, 1]), entries(2))
    assert np.abs(layer_logits(layer, features[2:])).max() < 1e-3


def test_without_wrong_answers_the_layer_is_empty() -> None:
    features = some_features(2, 0)
    base = np.array([[5.0, 0.0], [0.0, 5.0]], dtype=np.float32)
    layer = fit_layer(features, base, np.array([0, 1]), entries(2))
    assert layer.entries == ()
    assert layer.centers.shape == (0, 200)
    assert np.array_equal(layer_logits(layer, features), np.zeros((2, 2), np.float32))


def test_no_corrections_at_all_give_an_empty_layer() -> None:
    none = empty_layer(5, 2)
    fitted = fit_layer(np.zeros((0, 5), np.float32), np.zeros((0, 2), np.float32), np.zeros(0, np.intp), [])
    assert fitted.centers.shape == none.centers.shape
    assert fitted.coefficients.shape == none.coefficients.shape


def test_kernel_weights_are_one_for_the_image_and_fall_with_distance() -> None:
    layer = CorrectionLayer(np.eye(3, dtype=np.float32), np.zeros((3, 2), np.float32), tuple(entries(3)), kappa=10.0)
    weights = kernel_weights(layer, np.array([[7, 0, 0], [1, 1, 0], [0, 0, 0]], np.float32))
    assert weights[0] == pytest.approx([1, np.exp(-10), np.exp(-10)], rel=1e-4)
    assert weights[1, 0] == pytest.approx(np.exp(10 * (np.sqrt(0.5) - 1)), rel=1e-4)
    assert weights[2] == pytest.approx([np.exp(-10)] * 3, rel=1e-4)


def test_a_corrected_test_image_is_evaluated_without_its_own_correction() -> None:
    features = some_features(2, 3)
    base = np.array([[4.0, 0.0], [4.0, 0.0]], dtype=np.float32)
    layer = fit_layer(features, base, np.array([1, 1]), entries(2))
    mask = own_rows(layer, [UUID(int=0), UUID(int=99)])
    assert mask.tolist() == [[True, False], [False, False]]
    answered = base + layer_logits(layer, features, mask)
    assert answered.argmax(axis=1).tolist() == [0, 1]


def test_the_correction_behind_a_broken_answer_is_named_first() -> None:
    """Image 2 was right as class 0; the correction of its near-copy (image 1) to class 1 broke it."""
    corrected = some_features(2, 4)
    base = np.array([[0.5, 0.0], [2.0, 0.0]], dtype=np.float32)
    layer = fit_layer(corrected, base, np.array([0, 1]), entries(2))
    broken = corrected[1:] + np.float32(0.05) * some_features(1, 5)
    assert (np.array([[2.0, 0.0]]) + layer_logits(layer, broken)).argmax() == 1
    named = most_responsible(layer, broken, answered=np.array([1]), truths=np.array([0]))
    assert named == ((UUID(int=1), 1),)


def test_nobody_is_responsible_in_an_empty_layer() -> None:
    assert most_responsible(empty_layer(4, 2), np.ones((1, 4), np.float32), np.array([1]), np.array([0])) == ()


def test_the_layer_is_the_same_bit_for_bit() -> None:
    features, base, targets = some_features(20, 6), np.zeros((20, 3), np.float32), np.arange(20) % 3
    one, other = (fit_layer(features, base, targets, entries(20)) for _ in range(2))
    assert one.coefficients.tobytes() == other.coefficients.tobytes()


def test_a_layer_with_many_rows_answers_as_with_all_weights_computed() -> None:
    chance = np.random.default_rng(3)
    centers = unit_length(chance.normal(size=(300, 8)).astype(np.float32))
    named = tuple((UUID(int=row // 2), 1) for row in range(300))
    coefficients = chance.normal(size=(300, 3)).astype(np.float32)
    layer = CorrectionLayer(centers, coefficients, named, kappa=9.0, end=0.2)
    features = chance.normal(size=(50, 8)).astype(np.float32)
    ignored = own_rows(layer, [UUID(int=number) for number in range(50)])

    cosines = unit_length(features) @ centers.T
    weights = np.maximum(np.exp(9.0 * (cosines - 1)) - 0.2, 0) / 0.8
    weights[ignored] = 0
    assert layer_logits(layer, features, ignored) == pytest.approx(weights @ coefficients, abs=1e-4)
    assert [int(row.sum()) for row in ignored] == [2] * 50
