"""What may be committed while messages finish out of order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.offsets import Offsets


@given(st.data())
def test_the_committable_offset_is_the_lowest_unfinished_one(data: st.DataObject) -> None:
    taken = sorted(data.draw(st.sets(st.integers(0, 200), min_size=1, max_size=30)))
    finishing = data.draw(st.permutations(taken))
    offsets = Offsets()
    for offset in taken:
        offsets.add(offset)
    unfinished = set(taken)
    for offset in finishing:
        assert offsets.committable == min(unfinished)
        offsets.finish(offset)
        unfinished.discard(offset)
    assert offsets.committable == taken[-1] + 1
    assert offsets.unfinished == 0


def test_nothing_is_committable_before_anything_was_taken() -> None:
    assert Offsets().committable is None


def test_an_offset_is_taken_once_and_in_order() -> None:
    offsets = Offsets()
    offsets.add(5)
    with pytest.raises(ValueError, match="in order"):
        offsets.add(5)
