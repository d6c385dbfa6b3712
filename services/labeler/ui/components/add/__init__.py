"""Many files at once: taken, sent and shown by the browser; its modules are in `browser/`.

The browser keeps the files and sends them through `doors/labeler_door.py`, three at a time. Python says who the person
is and which labels there are, and hears whether there are cards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from services.labeler.ui.sessions.cookie import token_hash
from shared.clients.answers import Session

ASSETS = Path(__file__).parent / "browser"
ASSETS_PATH = "/pappus/add"
KEY = "add"

_COMPONENT = st.components.v2.component(
    "pappus_add",
    html='<div id="add"></div>',
    css=(ASSETS / "add.css").read_text(encoding="utf-8"),
    js=(ASSETS / "entry.js").read_text(encoding="utf-8").replace("ASSETS_PATH", ASSETS_PATH),
)


@dataclass(frozen=True)
class Added:
    """What the browser says. `has_cards`: there are several files, or some of before. `logged_out`: the labeler does
    not know the session any more; said once."""

    has_cards: bool
    logged_out: bool


def add_files(
    session: Session,
    labels: tuple[str, ...],
    limit_bytes: int,
    label: str | None,
    camera: bool,
    may_label: bool,
    names: Mapping[str, str],
) -> Added:
    """Draw the ways to add several files, and their cards. Work that waited for a login goes on with the next session
    of the same person. Files are at most `limit_bytes` long; `label` is that of the files that are added from now on,
    None for none. While the `camera` is used, a single file gets a card, too. `may_label`: whether the cards have
    buttons that set a label. `names`: what people call each class now, by its label in answers."""
    state = st.session_state.get(KEY) or {}
    data = {
        "person": session.name,
        "login": token_hash(session),
        "labels": list(labels),
        "names": {label: name for label, name in names.items() if name != label},
        "limit_bytes": limit_bytes,
        "label": label,
        "camera": camera,
        "may_label": may_label,
        "has_cards": bool(state.get("has_cards")),
    }
    found = _COMPONENT(
        data=data,
        key=KEY,
        default={"has_cards": False},
        on_has_cards_change=_nothing,
        on_logged_out_change=_nothing,
    )
    return Added(bool(found.get("has_cards")), bool(found.get("logged_out")))


def _nothing() -> None:
    """Do nothing: the values are read where they are needed."""
