"""The buttons that set a label, the bars of a prediction, and the effect of the last correction."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.champion import current_freeze
from services.labeler.ui.sessions.click_guard import ClickGuard
from services.labeler.ui.sessions.corrections import FollowedCorrection
from services.labeler.ui.sessions.tab import clients, log_out
from shared.clients.answers import ShownPrediction
from shared.runtime.errors import TransientError

FOLLOW_EVERY_SECONDS = 0.3
FROZEN_EVERY_SECONDS = 3.0
SHORTCUTS = "123456789"


def label_buttons(
    click_guard: ClickGuard, labels: Sequence[str], suggested: str | None, on_choice: Callable[[str], None]
) -> None:
    """Draw one button per label; the keys 1 to 9 press the first nine. The suggested label is highlighted."""
    with st.container(horizontal=True):
        for position, label in enumerate(labels):
            click_guard.button(
                label,
                partial(on_choice, label),
                shortcut=SHORTCUTS[position] if position < len(SHORTCUTS) else None,
                kind="primary" if label == suggested else "secondary",
            )


def probability_bars(prediction: ShownPrediction) -> None:
    """Draw one bar per label, the most probable first."""
    for label, share in sorted(prediction.probabilities.items(), key=lambda entry: -entry[1]):
        st.progress(min(1.0, max(0.0, share)), text=f"{messages.plain(label)} · {share:.0%}")


def follow(followed: FollowedCorrection, when_over: Callable[[], None] | None = None, about: str = "") -> None:
    """Show the effect of a correction, refreshed until no further change is expected; then call `when_over`. `about`
    names the correction where that is not obvious."""
    frozen = current_freeze() is not None
    every = None if followed.over(frozen) else FROZEN_EVERY_SECONDS if frozen else FOLLOW_EVERY_SECONDS

    @st.fragment(run_every=every)
    def refresh() -> None:
        frozen = current_freeze() is not None
        if not followed.over(frozen):
            try:
                followed.look(clients().labeler)
            except (TransientError, Declined) as error:
                st.caption(f"The effect cannot be shown right now: {messages.plain(str(error))}")
            except LoggedOut as ended:
                log_out(str(ended))
                st.rerun()
            if followed.over(frozen):
                if when_over is not None:
                    when_over()
                st.rerun()
        show = st.success if followed.settled and followed.entry and followed.entry.live_in else st.info
        show(about + followed.sentence(frozen))

    refresh()
