"""The group of an image, and when it is quarantined."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.ingestor.decisions.groups import choose_group
from shared.contract.split import side
from shared.testing.events import group_on

IMAGE = UUID(int=1)
GROUPS = [group_on("train", 1), group_on("train", 2), group_on("test", 3), group_on("test", 4)]


def test_an_image_like_no_other_has_a_group_of_its_own() -> None:
    assert choose_group(IMAGE, []).group_id == str(IMAGE)


def test_what_resembles_both_sides_is_quarantined_with_all_its_groups() -> None:
    train, _, test, _ = GROUPS

    assert choose_group(IMAGE, [test, train, test]).joins == (test, train)


@given(st.lists(st.sampled_from(GROUPS), min_size=1))
def test_an_image_is_on_the_side_of_all_it_resembles_or_on_neither(resembled: list[str]) -> None:
    chosen = choose_group(IMAGE, resembled)

    assert chosen.group_id == resembled[0]
    assert bool(chosen.joins) == (len({side(group) for group in resembled}) > 1)
