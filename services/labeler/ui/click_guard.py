"""Each question that a page asks is answered once, however often the answer arrives.

A browser may deliver one press twice: Streamlit sends a press a moment after it was made, and the timer of a fragment
that fires in this moment sends it, too. Nor do buttons vanish at once: those of the last image listen until the next
ones are drawn. So every button belongs to a turn, by its key and by its callback, and a press takes its turn with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

import streamlit as st

from services.labeler.ui.metrics import STALE_PRESSES


def _new_turn() -> str:
    return uuid4().hex


@dataclass
class ClickGuard:
    """Lets one press through in each turn; `turn` is unlike any other, of any page."""

    turn: str = field(default_factory=_new_turn)

    def button(
        self,
        label: str,
        act: Callable[[], None],
        shortcut: str | None = None,
        kind: Literal["primary", "secondary"] = "secondary",
        disabled: bool = False,
    ) -> None:
        """Draw a button of this turn, that does `act`. Within a turn, labels differ."""
        st.button(
            label,
            key=f"{self.turn}-{label}",
            type=kind,
            shortcut=shortcut,
            disabled=disabled,
            on_click=self.take,
            args=(self.turn, act),
        )

    def take(self, turn: str, act: Callable[[], None]) -> None:
        """Do `act` if this is still its turn, and begin the next; otherwise nothing happens."""
        if turn != self.turn:
            STALE_PRESSES.inc()
            return
        self.turn = _new_turn()
        act()
