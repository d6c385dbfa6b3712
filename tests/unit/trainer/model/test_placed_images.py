"""What the fast lane remembers of corrected images changes no bit."""

import numpy as np
import pytest

from services.trainer.model.correction_layer import empty_layer, place_units
from services.trainer.model.head import Head
from services.trainer.model.layer_space import snap_to_grid
from services.trainer.model.placed_images import PlacedImages
from tests.unit.trainer.model.planted import planted_features, planted_space

FEATURES, MIRRORED = planted_features(30, 1), planted_features(30, 2)
SPACE = planted_space()
WIDTH = FEATURES.shape[1]
CHANCE = np.random.default_rng(1)
HEAD = Head(
    ("dandelion", "grass"),
    mean=CHANCE.normal(size=(WIDTH,)).astype(np.float32),
    scale=CHANCE.uniform(0.5, 1.5, (WIDTH,)).astype(np.float32),
    weights=CHANCE.normal(size=(WIDTH, 2)).astype(np.float32),
    bias=np.ones(2, np.float32),
)
LAYER = empty_layer(WIDTH, len(HEAD.labels), SPACE)
VIEWS = [{str(row): view[row] for row in range(30)} for view in (FEATURES, MIRRORED)]


def keys(rows: range) -> list[tuple[int, str]]:
    return [(view, str(row)) for row in rows for view in (0, 1)]


def test_images_lie_where_all_together_lie() -> None:
    logits, units = PlacedImages(HEAD, LAYER).find(keys(range(30)), VIEWS)
    together = np.stack([VIEWS[view][digest] for view, digest in keys(range(30))])
    assert logits == pytest.approx(HEAD.logits(together), abs=1e-4)
    assert units == pytest.approx(snap_to_grid(place_units(LAYER, together)), abs=1e-4)


def test_the_order_and_the_company_of_images_change_no_bit() -> None:
    remembering = PlacedImages(HEAD, LAYER)
    for rows in (range(5, 9), range(30), range(20, 2, -3), range(30)):
        found = remembering.find(keys(rows), VIEWS)
        fresh = PlacedImages(HEAD, LAYER).find(keys(rows), VIEWS)
        assert [part.tobytes() for part in found] == [part.tobytes() for part in fresh]


def test_known_images_need_no_features_and_others_are_forgotten() -> None:
    remembering = PlacedImages(HEAD, LAYER)
    remembering.find(keys(range(10)), VIEWS)
    remembering.find(keys(range(4, 8)), [])
    with pytest.raises((KeyError, IndexError)):
        remembering.find(keys(range(10)), [{}, {}])


def test_an_image_that_is_asked_twice_has_two_rows() -> None:
    logits, units = PlacedImages(HEAD, LAYER).find([(0, "3"), (0, "3")], VIEWS)
    assert (logits.shape, units.shape) == ((2, len(HEAD.labels)), (2, 64))


def test_nothing_asked_is_nothing_found() -> None:
    logits, units = PlacedImages(HEAD, LAYER).find([], VIEWS)
    assert (logits.shape, units.shape) == ((0, len(HEAD.labels)), (0, 64))
