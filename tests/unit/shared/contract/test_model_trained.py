"""What a candidate holds: all corrections, listed, or the difference to its parent."""

from uuid import UUID

import pytest

from shared.contract.events import AppliedCorrection
from shared.messaging.codec import decode, encode
from shared.testing import model_trained


def held(image: int, revision: int = 1) -> AppliedCorrection:
    return AppliedCorrection(image_id=UUID(int=image), revision=revision)


def test_a_difference_is_completed_with_what_its_parent_holds() -> None:
    event = model_trained(
        lane="fast", parent="full-1", corrections=None, added=(held(2, 3), held(1)), removed=(held(2, 1),), holds=3
    )
    complete = event.completed([held(2, 1), held(3)])
    assert complete.held == (held(1), held(2, 3), held(3))
    assert (event.held_count, complete.held_count) == (3, 3)


def test_what_lists_its_corrections_needs_no_parent() -> None:
    event = model_trained(corrections=(held(2), held(1)))
    assert event.completed([held(3)]) is event
    assert (event.held, event.held_count) == ((held(2), held(1)), 2)


def test_what_is_not_listed_cannot_be_taken_for_none() -> None:
    with pytest.raises(ValueError, match="difference to full-1"):
        _ = model_trained(lane="fast", parent="full-1", corrections=None).held


def test_a_difference_does_not_grow_with_what_is_held() -> None:
    event = model_trained(lane="fast", parent="full-1", corrections=None, added=(held(1),), holds=100_000)
    value = encode(event, "pappus/trainer-fast")
    assert decode("model.trained", value) == event
    assert b'"corrections": null' in value or b'"corrections":null' in value
    assert len(value) < 2_000


def test_a_list_is_written_as_before() -> None:
    value = encode(model_trained(corrections=(held(1),)), "pappus/trainer-full")
    assert not any(field in value for field in (b"added", b"removed", b"holds"))
