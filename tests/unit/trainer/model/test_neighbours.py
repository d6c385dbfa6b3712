import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.model import neighbours
from services.trainer.model.layer_space import snap_to_grid, unit_length
from services.trainer.model.neighbours import Neighbours
from tests.unit.trainer.model.planted import planted_features, planted_space, views_of

NEAREST = 0.3
PLACES = planted_space().place(np.concatenate((planted_features(60, 1), views_of(planted_features(60, 1), 2))))
UNITS = snap_to_grid(unit_length(PLACES))


def test_the_cosines_are_those_of_all_near_pairs() -> None:
    cosines = UNITS.astype(np.float64) @ UNITS.T
    expected = np.where(cosines >= NEAREST, cosines, 0)
    found = Neighbours().find(UNITS, NEAREST)
    assert np.array_equal(found.toarray(), expected)
    assert 0 < found.nnz < cosines.size / 4


@given(st.lists(st.lists(st.integers(0, 119), max_size=40), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_what_was_asked_before_changes_no_bit(asked: list[list[int]]) -> None:
    """Rows come, go, repeat and change their order."""
    remembering = Neighbours()
    for rows in asked:
        found, fresh = remembering.find(UNITS[rows], NEAREST), Neighbours().find(UNITS[rows], NEAREST)
        for part in ("indptr", "indices", "data"):
            assert getattr(found, part).tolist() == getattr(fresh, part).tolist()


def test_rows_that_nothing_asks_for_are_forgotten() -> None:
    remembering = Neighbours()
    places = np.random.default_rng(0).normal(size=(neighbours.SPARE + 50, 16)).astype(np.float32)
    many = snap_to_grid(unit_length(places))
    remembering.find(many, NEAREST)
    remembering.find(many[:5], NEAREST)
    assert len(remembering._index) == 5
    assert np.array_equal(
        remembering.find(many[3:40], NEAREST).toarray(), Neighbours().find(many[3:40], NEAREST).toarray()
    )


def test_another_width_or_bound_begins_anew() -> None:
    remembering = Neighbours()
    remembering.find(UNITS[:9], NEAREST)
    for units, nearest in ((UNITS[:9], 0.5), (UNITS[:9, :32], 0.5)):
        fresh = Neighbours().find(units, nearest)
        assert np.array_equal(remembering.find(units, nearest).toarray(), fresh.toarray())
