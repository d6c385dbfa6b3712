"""The layer as the lanes fit it: in a space, with a kernel that ends, over any number of classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.trainer.model import layer_rows
from services.trainer.model.arrays import Floats, Indices
from services.trainer.model.correction_layer import (
    MARGIN,
    RIDGE,
    CorrectionLayer,
    empty_layer,
    fit_layer,
    kernel_weights,
    layer_logits,
    most_responsible,
)
from services.trainer.model.layer_rows import margins
from services.trainer.model.layer_space import unit_length
from services.trainer.model.neighbours import Neighbours
from tests.unit.trainer.model.planted import entries_for, planted_features, planted_space, views_of

SPACE, KAPPA, END_WEIGHT = planted_space(), 6.0, 0.02
AGREEMENT = 1e-4
"""In logits: how far conjugate gradients on near pairs and the direct solution of all equations may be apart."""


def fit(features: Floats, base: Floats, targets: Indices, neighbours: Neighbours | None = None) -> CorrectionLayer:
    return fit_layer(
        features,
        base,
        targets,
        entries_for(len(features)),
        space=SPACE,
        kappa=KAPPA,
        end=END_WEIGHT,
        neighbours=neighbours,
    )


def answers(layer: CorrectionLayer, features: Floats, base: Floats) -> NDArray[np.intp]:
    return np.asarray((base + layer_logits(layer, features)).argmax(axis=1))


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@given(st.integers(1, 60), st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_every_corrected_image_is_answered_as_corrected(classes: int, images: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    features, base = planted_features(images, seed), generator.normal(0, 2, (images, classes)).astype(np.float32)
    targets = generator.integers(0, classes, images)
    layer = fit(features, base, targets)
    assert np.array_equal(answers(layer, features, base), targets)
    assert margins(base + layer_logits(layer, features), targets).min() > MARGIN - 0.3


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_views_of_corrected_images_follow_them_and_others_stay(classes: int) -> None:
    generator = np.random.default_rng(classes)
    features, others = planted_features(50, 1), planted_features(300, 2)
    base = generator.normal(0, 1, (350, classes)).astype(np.float32)
    targets = (base[:50].argmax(axis=1) + 1) % classes
    layer = fit(features, base[:50], targets)
    assert (answers(layer, views_of(features, 3), base[:50]) == targets).mean() > 0.95
    assert (answers(layer, others, base[50:]) == base[50:].argmax(axis=1)).mean() > 0.9


def test_an_image_corrected_to_one_label_after_the_other_has_the_last() -> None:
    features, base = planted_features(30, 1), np.zeros((30, 5), np.float32)
    targets = np.arange(30) % 5
    for label in (0, 3, 1, 4, 2):
        targets[7] = label
        layer = fit(features, base, targets)
        assert answers(layer, features, base).tolist() == targets.tolist()


def test_copies_of_one_image_have_one_answer() -> None:
    features = np.repeat(planted_features(2, 1), 20, axis=0)
    base, targets = np.tile(np.array([[2, 0, 0]], np.float32), (40, 1)), np.repeat([1, 2], 20)
    layer = fit(features, base, targets)
    assert np.array_equal(answers(layer, features, base), targets)
    assert np.abs(layer.coefficients).max() < 1, "they share the push"


def test_copies_that_contradict_each_other_harm_no_others() -> None:
    """The same pixels with two labels: one of them has to lose, and the numbers stay finite."""
    features = np.concatenate((np.repeat(planted_features(1, 1), 2, axis=0), planted_features(5, 2)))
    base, targets = np.zeros((7, 2), np.float32), np.array([0, 1, 1, 0, 1, 0, 1])
    layer = fit(features, base, targets)
    assert np.isfinite(layer.coefficients).all()
    assert np.array_equal(answers(layer, features, base)[2:], targets[2:])


def test_one_correction_is_the_plain_solution() -> None:
    layer = fit(planted_features(1, 1), np.array([[3, 0, 0]], np.float32), np.array([2]))
    assert layer.coefficients[0] == pytest.approx([0, 0, (MARGIN + 3) / (1 + RIDGE)], rel=1e-3)


def test_an_image_without_direction_is_left_out() -> None:
    features = np.concatenate((SPACE.mean[None], planted_features(2, 1)))  # its place is zero
    base, targets = np.zeros((3, 2), np.float32), np.array([1, 1, 1])
    layer = fit(features, base, targets)
    assert [image_id.int for image_id, _ in layer.entries] == [1, 2]
    assert np.array_equal(layer_logits(layer, features[:1]), np.zeros((1, 2), np.float32))
    alone = fit(features[:1], base[:1], targets[:1])
    assert alone.entries == ()


def test_further_away_a_correction_changes_nothing_at_all() -> None:
    features, others = planted_features(20, 1), planted_features(500, 2)
    layer = fit(features, np.zeros((20, 2), np.float32), np.ones(20, np.intp))
    cosines = unit_length(SPACE.place(others)) @ layer.centers.T
    far = cosines.max(axis=1) < 1 + np.log(END_WEIGHT) / KAPPA - 1e-4
    assert 0.5 < far.mean() < 1
    assert not layer_logits(layer, others)[far].any()
    assert kernel_weights(layer, features).diagonal() == pytest.approx(np.ones(20), abs=1e-3)


@given(st.lists(st.sets(st.integers(0, 39), min_size=1, max_size=40), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_way_to_a_set_of_corrections_changes_no_bit(sets: list[set[int]]) -> None:
    """Corrections are added, withdrawn and corrected again; a restarted lane knows nothing of it."""
    half = planted_features(20, 1)
    features = np.concatenate((half, views_of(half, 2, by=0.2)))
    base, targets = np.random.default_rng(0).normal(0, 2, (40, 3)).astype(np.float32), np.arange(40) % 3
    remembering = Neighbours()
    for chosen in sets:
        rows = sorted(chosen)
        found = fit(features[rows], base[rows], targets[rows], remembering)
        fresh = fit(features[rows], base[rows], targets[rows])
        assert found.coefficients.tobytes() == fresh.coefficients.tobytes()
        assert found.centers.tobytes() == fresh.centers.tobytes()


def test_without_corrections_the_layer_is_empty_and_keeps_its_space() -> None:
    layer = fit(planted_features(0, 1), np.zeros((0, 4), np.float32), np.zeros(0, np.intp))
    empty = empty_layer(120, 4, SPACE, KAPPA, END_WEIGHT)
    assert (layer.centers.shape, layer.coefficients.shape) == ((0, 64), (0, 4)) == (empty.centers.shape, (0, 4))
    assert layer.space is SPACE


def test_a_correction_with_two_rows_is_named_once() -> None:
    features = np.concatenate((planted_features(1, 1), views_of(planted_features(1, 1), 2)))
    entry = entries_for(1)[0]
    base = np.array([[2, 0], [2, 0]], np.float32)
    layer = fit_layer(features, base, np.array([1, 1]), [entry, entry], space=SPACE, kappa=KAPPA, end=END_WEIGHT)
    assert layer.entries == (entry, entry)
    assert most_responsible(layer, features, np.array([1, 1]), np.array([0, 0])) == (entry,)


def alike(images: int, apart: float) -> Floats:
    """Return features of pictures that resemble each other: all near one place, as those of a drawing program."""
    chance = np.random.default_rng(5)
    return (planted_features(1, 3) + apart * chance.normal(size=(images, len(SPACE.mean)))).astype(np.float32)


@pytest.mark.parametrize("images", [60, 700])
def test_corrections_of_pictures_that_resemble_each_other_hold(images: int) -> None:
    features = alike(images, 0.15)
    base = np.tile(np.array([[3.0, -3.0]], np.float32), (images, 1))
    targets = np.random.default_rng(1).integers(0, 2, images)
    layer = fit(features, base, targets)
    assert np.array_equal(answers(layer, features, base), targets)


def test_dense_equations_are_solved_directly_and_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    features, base = alike(120, 0.3), np.zeros((120, 2), np.float32)
    targets = np.random.default_rng(2).integers(0, 2, 120)
    with monkeypatch.context() as sparse:
        sparse.setattr(layer_rows, "DENSE", 2.0)  # nothing is
        in_steps = fit(features, base, targets)
    monkeypatch.delattr(layer_rows, "_solve_in_steps")
    directly = fit(features, base, targets)
    assert layer_logits(directly, features) == pytest.approx(layer_logits(in_steps, features), abs=0.01)


def test_what_does_not_converge_soon_is_solved_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    features, base = alike(80, 0.3), np.zeros((80, 2), np.float32)
    targets = np.random.default_rng(2).integers(0, 2, 80)
    usual = fit(features, base, targets)
    monkeypatch.setattr(layer_rows, "DENSE", 2.0)
    monkeypatch.setattr(layer_rows, "FEW_STEPS", 2)
    assert layer_logits(fit(features, base, targets), features) == pytest.approx(
        layer_logits(usual, features), abs=0.01
    )


def test_without_a_direct_solution_the_steps_lead_near_one(monkeypatch: pytest.MonkeyPatch) -> None:
    features, base = alike(60, 0.3), np.zeros((60, 2), np.float32)
    targets = np.arange(60) % 2
    monkeypatch.setattr(layer_rows, "_solve_directly", lambda *_: None)
    layer = fit(features, base, targets)
    assert (answers(layer, features, base) == targets).mean() > 0.9
