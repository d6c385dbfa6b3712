from hypothesis import given
from hypothesis import strategies as st

from shared.contract.split import side


@given(st.text())
def test_a_group_stays_on_its_side(group_id: str) -> None:
    assert side(group_id) == side(group_id)


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_test_fraction_only_adds_to_the_test_side(group_id: str, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    if side(group_id, smaller) == "test":
        assert side(group_id, larger) == "test"


def test_a_fifth_of_the_groups_is_for_testing() -> None:
    tests = sum(side(f"group-{number}") == "test" for number in range(10_000))
    assert 1_850 < tests < 2_150


def test_the_split_is_locked_across_releases() -> None:
    """These sides are written into the history of every installation."""
    assert [side(f"group-{number}") for number in range(12)] == [
        *["train"] * 6,
        *["test"] * 2,
        *["train"] * 2,
        "test",
        "train",
    ]
