"""The button that takes an image back, and the question before it does."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.tab import may
from services.labeler.ui.sessions.withdrawing import Withdrawing

WITHDRAW, CONFIRM, KEEP = "Withdraw this image …", "Withdraw it for good", "Keep it"
REASON = "withdrawal-reason"


def withdraw_button(click_guard: ClickGuard, question: Withdrawing, image_id: UUID, notice: bool = True) -> None:
    """Draw the button, for those who may press it, and with `notice` what became of the last withdrawal."""
    if may("operator"):
        click_guard.button(WITHDRAW, partial(question.ask, image_id), about=str(image_id))
    if notice:
        show_notice(question)


def show_notice(question: Withdrawing) -> None:
    """Show what became of the last withdrawal."""
    if question.notice:
        st.info(messages.plain(question.notice))


def confirm_withdrawal(
    click_guard: ClickGuard, question: Withdrawing, image_id: UUID, when_done: Callable[[], None]
) -> bool:
    """Draw the question, if it is asked about this image; `when_done` is called once the image is withdrawn. Return
    whether it was drawn: then nothing else is to be asked about the image."""
    if question.asked != image_id:
        return False
    st.warning(
        "The image is deleted, and what was computed from it; no model is made from it any more, and the same image"
        " is not taken again. This cannot be undone."
    )
    st.text_input("Why is it withdrawn?", key=REASON, max_chars=500)
    if question.notice:
        st.error(messages.plain(question.notice))

    def confirm() -> None:
        if question.confirm(str(st.session_state.get(REASON, ""))):
            when_done()

    with st.container(horizontal=True):
        click_guard.button(CONFIRM, confirm, kind="primary")
        click_guard.button(KEEP, question.keep)
    return True
