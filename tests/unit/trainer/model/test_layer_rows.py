"""Which corrections get a row: as few as hold all, also where many pictures resemble each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import cholesky, solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import nnls  # type: ignore[import-untyped]
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from services.trainer.model import layer_rows
from services.trainer.model.arrays import Floats, Indices
from services.trainer.model.blas_threads import one_blas_thread
from services.trainer.model.correction_layer import MARGIN, RIDGE, weights_of
from services.trainer.model.layer_rows import Doubles, find_rows, margins
from services.trainer.model.layer_space import unit_length

KAPPA, END_WEIGHT = 5.0, 0.109


def drawings(count: int, seed: int = 0, told_wrongly: float = 0.0) -> tuple[Floats, Indices]:
    """Return places of pictures of one kind, and the class of each: they lie in one corner, on few directions, as those
    of a drawing program under a backbone of photographs."""
    chance = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(8, 64))
    along = chance.normal(size=(count, 8))
    places = 2 * directions[0] + along @ directions / 2 + 0.15 * chance.normal(size=(count, 64))
    classes = (along[:, 1] + 0.8 * along[:, 2] * along[:, 3] > 0) ^ (chance.random(count) < told_wrongly)
    return unit_length(places.astype(np.float32)), classes.astype(np.intp)


def kernel_between(some: Floats, others: Floats) -> csr_array:
    return csr_array(weights_of(some.astype(np.float64) @ others.T.astype(np.float64), KAPPA, END_WEIGHT))


def held_all_exactly(kernel: csr_array, targets: Indices) -> Doubles:
    """Return coefficients [n, c] with which every image is ahead by the margin, neither more nor less."""
    wanted = np.zeros((len(targets), 2))
    wanted[np.arange(len(targets)), targets] = MARGIN
    return np.asarray(np.linalg.solve(kernel.toarray() + RIDGE * np.eye(len(targets)), wanted))


def find(kernel: csr_array, base: Floats, targets: Indices) -> tuple[Indices, Doubles]:
    with one_blas_thread():  # as in a fit: more threads take longer
        return find_rows(kernel, base, targets, np.ones(len(targets), np.bool_), margin=MARGIN, ridge=RIDGE)


@given(st.integers(1, 60), st.sampled_from([2, 3, 7]), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_rows_are_those_of_the_least_residual(count: int, classes: int, seed: int) -> None:
    """Each class is compared with what another method, least squares without negative numbers, finds."""
    chance = np.random.default_rng(seed)
    places, _ = drawings(count, seed)
    base, targets = chance.normal(0, 2, (count, classes)).astype(np.float32), chance.integers(0, classes, count)
    kernel = kernel_between(places, places)
    rows, found = find(kernel, base, targets)
    ahead = margins(base, targets)
    level = base[np.arange(count), targets] - ahead + np.maximum(ahead - MARGIN, 0) / 2
    factor = cholesky(kernel.toarray() + RIDGE * np.eye(count), lower=True)
    expected = np.zeros((count, classes))
    for column in range(classes):
        signs = np.where(targets == column, 1.0, -1.0)
        least = signs * (level - base[:, column]) + MARGIN * (signs > 0)
        expected[:, column] = signs * nnls(factor.T * signs, solve_triangular(factor, signs * least, lower=True))[0]
    answered = kernel @ expected
    assert kernel[:, rows] @ found == pytest.approx(answered, abs=0.01)
    assert margins(base + kernel[:, rows] @ found, targets).min() > MARGIN - 0.05 * np.abs(expected).max() - 0.01


@pytest.mark.parametrize("count", [150, 500, 900])
def test_pictures_of_one_kind_need_few_rows_and_others_are_answered_better(count: int) -> None:
    """With 500 and 900 the kernel has directions of negative variance: the ridge has to be stronger."""
    places, targets = drawings(count)
    others, truths = drawings(2_000, seed=1)
    kernel, towards = kernel_between(places, places), kernel_between(others, places)
    rows, found = find(kernel, np.zeros((count, 2), np.float32), targets)
    exactly = held_all_exactly(kernel, targets)
    assert len(rows) < 0.6 * count
    assert (margins(kernel[:, rows] @ found, targets) > 0).mean() > 0.99
    right = ((towards[:, rows] @ found).argmax(axis=1) == truths).mean()
    assert right > ((towards @ exactly).argmax(axis=1) == truths).mean() + 0.05


def test_false_labels_among_pictures_of_one_kind_are_held_where_possible() -> None:
    places, targets = drawings(900, told_wrongly=0.1)
    kernel = kernel_between(places, places)
    rows, found = find(kernel, np.zeros((900, 2), np.float32), targets)
    assert np.abs(found).max() < layer_rows.LARGEST
    assert (margins(kernel[:, rows] @ found, targets) > 0).mean() > 0.7


def test_rows_that_would_be_exchanged_in_circles_are_all_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_rows, "GRACES", -1)  # the first exchange is one too many
    monkeypatch.setattr(layer_rows, "STRONGER_RIDGES", (1,))
    places, targets = drawings(60)
    base = np.zeros((60, 2), np.float32)
    base[:30, 0] = 4.0  # some are right by more than the margin until the others have rows
    kernel = kernel_between(places, places)
    rows, found = find(kernel, base, targets)
    assert (margins(base + kernel[:, rows] @ found, targets) > 0).all()


def test_an_image_that_is_not_usable_gets_no_row() -> None:
    places, targets = drawings(20)
    usable = np.arange(20) != 3
    kernel, base = kernel_between(places, places), np.zeros((20, 2), np.float32)
    rows, _ = find_rows(kernel, base, targets, usable, margin=MARGIN, ridge=RIDGE)
    assert len(rows)
    assert 3 not in rows
