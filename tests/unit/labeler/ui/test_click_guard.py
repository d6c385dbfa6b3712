"""One press for each turn."""

from services.labeler.ui.sessions.click_guard import ClickGuard


def test_a_press_that_arrives_twice_acts_once() -> None:
    click_guard, acts = ClickGuard(), list[str]()
    turn = click_guard.turn
    click_guard.press(turn, lambda: acts.append("first"))
    click_guard.press(turn, lambda: acts.append("again"))

    assert acts == ["first"]


def test_the_next_turn_accepts_a_press_and_the_last_one_none() -> None:
    click_guard, acts = ClickGuard(), list[str]()
    last = click_guard.turn
    click_guard.press(last, lambda: acts.append("first"))
    click_guard.press(click_guard.turn, lambda: acts.append("second"))
    click_guard.press(last, lambda: acts.append("late"))

    assert acts == ["first", "second"]


def test_a_press_on_one_page_has_no_effect_on_another() -> None:
    click_guard, acts = ClickGuard(), list[str]()
    click_guard.press(ClickGuard().turn, lambda: acts.append("other page"))

    assert acts == []
