"""Who is asked to look again, and which images another person sees."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.decisions.second_look import (
    OFTEN,
    WINDOW,
    Decision,
    Question,
    double_check,
    needing_second_look,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def decisions(flags: str) -> list[Decision]:
    """Return decisions, the newest first: x contradicts model and data set. Each is a minute before the one before."""
    return [Decision(UUID(int=at), NOON - timedelta(minutes=at), flag == "x") for at, flag in enumerate(flags)]


@pytest.mark.parametrize(
    ("flags", "contradicting", "of"),
    [("xxxxx", 5, 5), ("xxxxx.....", 5, 10), (".x.x.x.x.xxxxxx", 5, 10), ("xxxxxxxxxxxx", 10, 10)],
)
def test_half_of_ten_labels_against_both_are_asked_about(flags: str, contradicting: int, of: int) -> None:
    assert double_check(decisions(flags), None) == Question(contradicting, of, NOON)


@pytest.mark.parametrize("flags", ["", "xxxx", "xxxx......x", ".........." + "x" * 20])
def test_fewer_or_older_ones_are_not(flags: str) -> None:
    assert double_check(decisions(flags), None) is None


def test_a_question_is_asked_once_about_the_same_labels() -> None:
    asked = decisions("xxxxxx....")
    question = double_check(asked, None)
    assert question is not None
    assert double_check(asked, question.asked_about) is None
    assert double_check(decisions("xxxxxx...."), NOON - timedelta(minutes=5)) == Question(5, 5, NOON)


def test_only_labels_of_a_habit_get_a_second_look() -> None:
    flags = "x........." + ".........." + "x.xx.xx..." + ".........." + "x"
    assert [image.int for image in needing_second_look(decisions(flags))] == [20, 22, 23, 25, 26]
    assert needing_second_look(decisions("x...x...x...x")) == []


@given(st.text(alphabet="x.", max_size=40))
def test_a_person_who_is_asked_has_images_for_a_second_look(flags: str) -> None:
    made = decisions(flags)
    looked = [image.int for image in needing_second_look(made)]
    assert all(made[at].contradicts for at in looked)
    assert looked == sorted(looked)
    if (question := double_check(made, None)) is not None:
        assert len([at for at in looked if at < WINDOW]) == question.contradicting >= OFTEN
