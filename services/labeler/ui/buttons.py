"""The buttons that set a label, and what is shown after one was pressed."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from services.labeler.ui.click_guard import ClickGuard
from services.labeler.ui.clients import Answer, Declined, LoggedOut
from services.labeler.ui.corrections import Followed
from services.labeler.ui.state import clients, log_out
from shared.runtime.errors import TransientError

FOLLOW_EVERY_SECONDS = 0.3
SHORTCUTS = "123456789"


def label_buttons(
    presses: ClickGuard, labels: Sequence[str], suggested: str | None, on_choice: Callable[[str], None]
) -> None:
    """One button per label; the keys 1 to 9 press the first nine. The suggested one stands out."""
    with st.container(horizontal=True):
        for position, label in enumerate(labels):
            presses.button(
                label,
                partial(on_choice, label),
                shortcut=SHORTCUTS[position] if position < len(SHORTCUTS) else None,
                kind="primary" if label == suggested else "secondary",
            )


def probability_bars(answer: Answer) -> None:
    """The model's answer, most probable label first."""
    for label, share in sorted(answer.probabilities.items(), key=lambda entry: -entry[1]):
        st.progress(min(1.0, max(0.0, share)), text=f"{label} · {share:.0%}")


def follow(followed: Followed, when_over: Callable[[], None] | None = None, about: str = "") -> None:
    """Say what a correction did so far, again and again until nothing more is to be expected; then call `when_over`.
    `about` says which correction is meant, if that is not plain."""
    every = None if followed.over else FOLLOW_EVERY_SECONDS

    @st.fragment(run_every=every)
    def watching() -> None:
        if not followed.over:
            try:
                followed.look(clients().labeler)
            except (TransientError, Declined) as away:
                st.caption(f"Cannot see its effect right now: {away}")
            except LoggedOut as ended:
                log_out(str(ended))
                st.rerun()
            if followed.over:
                if when_over is not None:
                    when_over()
                st.rerun()
        show = st.success if followed.settled and followed.entry and followed.entry.live_in else st.info
        show(about + followed.sentence)

    watching()
