import numpy as np
import pytest

from services.trainer.model.correction_layer import weights_of
from services.trainer.model.layer_space import (
    DIMENSIONS,
    GRID,
    HIGHEST_KAPPA,
    LOWEST_KAPPA,
    NEAREST_END,
    VIEW_WEIGHT,
    choose_kernel,
    fit_geometry,
    fit_space,
    snap_to_grid,
    unit_length,
)
from tests.unit.trainer.model.planted import WIDTH, planted_features, views_of


@pytest.mark.parametrize("images", [90, 400])  # fewer and more than features
def test_places_of_the_training_images_are_white(images: int) -> None:
    features = planted_features(images, 1)
    space = fit_space(features)
    assert space is not None
    assert space.projection.shape == (WIDTH, DIMENSIONS)
    places = space.place(features).astype(np.float64)
    np.testing.assert_allclose(places.T @ places / images, np.eye(DIMENSIONS), atol=1e-3)


def test_there_are_no_more_directions_than_images_leave() -> None:
    space = fit_space(planted_features(20, 1))
    assert space is not None
    assert space.projection.shape == (WIDTH, 19)


@pytest.mark.parametrize("images", [0, 1, 2, 8])
def test_too_few_images_give_no_space(images: int) -> None:
    assert fit_space(planted_features(images, 1)) is None
    none = planted_features(0, 1)
    assert fit_geometry(planted_features(images, 1), None, none, [], none) is None


def test_images_that_are_all_the_same_give_no_space() -> None:
    assert fit_space(np.ones((50, WIDTH), np.float32)) is None


def test_the_space_is_the_same_bit_for_bit() -> None:
    one, other = (fit_space(planted_features(200, 3)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.projection.tobytes() == other.projection.tobytes()


def test_views_stay_together_and_other_images_come_apart() -> None:
    features = planted_features(300, 1)
    views = np.concatenate((views_of(features[:50], 5), views_of(features[:50], 6, by=0.1)))
    found = fit_geometry(features[100:], None, features, range(50), views)
    assert found is not None
    raw = unit_length(features)
    assert np.median(raw @ raw.T) > 0.9, "in the features themselves all images are near"
    assert found.other_cosine < 0.6 < 0.9 < found.view_cosine
    assert weight_at(found.view_cosine, found.kappa, found.end) >= VIEW_WEIGHT - 0.001
    assert weight_at(found.other_cosine, found.kappa, found.end) == pytest.approx(0, abs=1e-6)


def weight_at(cosine: float, kappa: float, end: float) -> float:
    return float(weights_of(np.array(cosine), kappa, end))


@pytest.mark.parametrize(("view", "other"), [(0.93, 0.45), (0.92, 0.35), (0.95, 0.7)])
def test_a_correction_reaches_views_and_ends_at_the_nearest_other_image(view: float, other: float) -> None:
    kappa, end = choose_kernel(view, other)
    assert weight_at(view, kappa, end) == pytest.approx(VIEW_WEIGHT, abs=0.01)
    assert weight_at(other, kappa, end) == pytest.approx(0, abs=1e-6)
    steeper = weight_at(view, kappa + 1, end ** ((kappa + 1) / kappa))  # with the same end
    assert steeper < VIEW_WEIGHT, "a steeper kernel does less to others, but loses views"


@pytest.mark.parametrize(("view", "other"), [(1.0, 1.0), (1.0, 0.999), (-1.0, -1.0), (0.0, -1.0), (0.5, 0.6)])
def test_kappa_and_end_have_bounds(view: float, other: float) -> None:
    kappa, end = choose_kernel(view, other)
    assert LOWEST_KAPPA <= kappa <= HIGHEST_KAPPA
    assert 0 < end <= np.exp(kappa * (NEAREST_END - 1))


def test_photographs_lead_to_a_kappa_near_six() -> None:
    """The cosines measured on photographs with the backbone `patches`."""
    assert 5 < choose_kernel(0.925, 0.5)[0] < 7


def test_unit_length_leaves_zeros() -> None:
    assert unit_length(np.array([[3, 4], [0, 0]], np.float32)).ravel().tolist() == pytest.approx([0.6, 0.8, 0, 0])


def test_products_on_the_grid_are_exact_in_any_order() -> None:
    units = snap_to_grid(unit_length(planted_features(50, 1)))
    assert np.array_equal(units * GRID, np.round(units * GRID))
    doubles = units.astype(np.float64)
    backwards = doubles[:, ::-1] @ doubles[:, ::-1].T
    assert np.array_equal(doubles @ doubles.T, backwards)
