"""Whose label counts for pictures with the same pixels."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.contract.same_pixels import PictureLabel, find_deciding_image
from shared.testing.events import NOON


def picture(number: int, decided: int | None = None, **changes: Any) -> PictureLabel:
    """Return a picture with a label of a data set, decided about so many seconds after noon."""
    at = None if decided is None else NOON + timedelta(seconds=decided)
    values: dict[str, Any] = {"label": "grass", "trust": "seed", "stored_at": NOON + timedelta(seconds=number)}
    return PictureLabel(UUID(int=number), at, **{**values, **changes})


def deciding(*pictures: PictureLabel) -> int:
    return find_deciding_image(pictures).int


def test_the_latest_decision_counts_before_any_label_of_a_data_set() -> None:
    assert deciding(picture(1, 5), picture(2, 3), picture(3)) == 1


def test_a_trusted_label_counts_before_a_claimed_one_and_that_before_none() -> None:
    claimed, unlabelled = picture(2, trust="claimed"), picture(3, label=None)

    assert deciding(picture(1), claimed, unlabelled) == 1
    assert deciding(claimed, unlabelled) == 2


@given(st.permutations([picture(1, 1), picture(2, 1), picture(3), picture(4, trust="claimed")]))
def test_the_order_in_which_pictures_are_read_does_not_matter(pictures: list[PictureLabel]) -> None:
    assert deciding(*pictures) == 2
