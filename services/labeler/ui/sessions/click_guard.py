"""A guard that lets each question of a page be answered once, even if a press arrives twice.

A browser may deliver one press twice: Streamlit sends a press a moment after it was made, and a fragment timer that
fires in that moment sends it as well. Old buttons also react until the next ones are drawn. So every button belongs to
a turn, by its key and by its callback, and a press ends its turn.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

import streamlit as st

from services.labeler.ui.messages import plain
from services.labeler.ui.metrics import STALE_PRESSES


def _new_turn() -> str:
    return uuid4().hex


@dataclass
class ClickGuard:
    """Accepts one press per turn. `turn` is unique across all pages; `keys` are those that press a button of this
    run."""

    turn: str = field(default_factory=_new_turn)
    keys: list[str] = field(default_factory=list)
    _acting: threading.RLock = field(default_factory=threading.RLock)

    def begin(self) -> None:
        """Begin to draw the page, once what was pressed before is done: a reload may overtake it."""
        with self._acting:
            self.keys.clear()

    def button(
        self,
        label: str,
        act: Callable[[], None],
        shortcut: str | None = None,
        kind: Literal["primary", "secondary"] = "secondary",
        disabled: bool = False,
        about: str = "",
    ) -> None:
        """Draw a button of this turn that calls `act`. Labels must differ within a turn, or what they are `about`."""
        if shortcut is not None and not disabled:
            self.keys.append(shortcut)
        st.button(
            plain(label),
            key=f"{self.turn}-{label}{about}",
            type=kind,
            shortcut=shortcut,
            disabled=disabled,
            on_click=self.press,
            args=(self.turn, act),
        )

    def press(self, turn: str, act: Callable[[], None]) -> None:
        """Call `act` and begin the next turn; a press from an earlier turn does nothing."""
        with self._acting:
            if turn != self.turn:
                STALE_PRESSES.inc()
                return
            self.turn = _new_turn()
            act()
