"""What can be said about an image: its label, that it has none, or that it is taken back."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.components.buttons import follow, label_buttons
from services.labeler.ui.components.withdrawal import confirm_withdrawal, withdraw_button
from services.labeler.ui.sessions.image_session import ImageSession
from services.labeler.ui.sessions.tab import labels, may
from shared.clients.answers import ImageView, Prediction
from shared.contract.events import NoLabel

MOST_BUTTONS = 9
"""So many classes have a button and a key; of more, the likeliest, and the others are in a list."""
NO_LABELS: tuple[tuple[str, NoLabel], ...] = (
    ("None of these", "none_of_these"),
    ("Unsure", "unsure"),
    ("Unusable", "unusable"),
)


def correct_here(shown: ImageSession, image: ImageView, prediction: Prediction | None) -> None:
    """Draw the buttons, and what became of the last press."""
    guard = shown.click_guard
    if shown.unsent is not None:
        st.warning(messages.not_confirmed(shown.unsent.label, shown.notice))
        with st.container(horizontal=True):
            guard.button("Try again", partial(shown.send, shown.unsent), shortcut="t", kind="primary")
            guard.button("Choose again", shown.drop_unsent)
        return
    if confirm_withdrawal(guard, shown.withdrawing, image.image_id, shown.ask_again):
        return
    if not may("labeler"):
        st.caption(messages.LABELERS_DECIDE)
        return
    _label_buttons(shown, image, prediction)
    with st.container(horizontal=True):
        for text, why in NO_LABELS:
            guard.button(text, partial(shown.take_label_away, image, why))
        if image.decided_in:
            guard.button("Take the last label back", partial(shown.take_label_away, image, "withdrawn"))
        withdraw_button(guard, shown.withdrawing, image.image_id)
    if shown.notice:
        st.warning(messages.plain(shown.notice))
    if shown.followed is not None:
        follow(shown.followed, shown.ask_again)


def _label_buttons(shown: ImageSession, image: ImageView, prediction: Prediction | None) -> None:
    known = labels()
    suggested = image.label or (prediction.label if prediction else None)
    likeliest = likely_first(known, prediction)
    label_buttons(
        shown.click_guard,
        likeliest[:MOST_BUTTONS],
        suggested,
        lambda label: shown.label(image, label, prediction),
    )
    if len(known) > MOST_BUTTONS:
        key = f"class-{shown.click_guard.turn}"
        st.selectbox(
            "Another class",
            sorted(known),
            index=None,
            placeholder="Find a class",
            key=key,
            on_change=lambda: shown.click_guard.press(
                shown.click_guard.turn, lambda: shown.label(image, st.session_state[key], prediction)
            ),
        )


def likely_first(known: Sequence[str], prediction: Prediction | None) -> list[str]:
    """Return the labels in their order if all have a button; else the likeliest first."""
    if len(known) <= MOST_BUTTONS or prediction is None:
        return list(known)
    return sorted(known, key=lambda label: -prediction.probabilities.get(label, 0.0))
