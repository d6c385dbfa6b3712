"""One answer for each turn."""

from services.labeler.ui.click_guard import ClickGuard


def test_a_press_that_arrives_twice_acts_once() -> None:
    presses, acts = ClickGuard(), list[str]()
    turn = presses.turn
    presses.take(turn, lambda: acts.append("first"))
    presses.take(turn, lambda: acts.append("again"))

    assert acts == ["first"]


def test_the_next_turn_takes_a_press_and_the_last_one_none() -> None:
    presses, acts = ClickGuard(), list[str]()
    last = presses.turn
    presses.take(last, lambda: acts.append("first"))
    presses.take(presses.turn, lambda: acts.append("second"))
    presses.take(last, lambda: acts.append("late"))

    assert acts == ["first", "second"]


def test_a_press_on_one_page_is_none_on_another() -> None:
    presses, acts = ClickGuard(), list[str]()
    presses.take(ClickGuard().turn, lambda: acts.append("strange"))

    assert acts == []
