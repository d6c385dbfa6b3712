"""The work of a tab, kept while the tab is reloaded: a browser that comes back with the same login goes on with it."""

import threading
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from services.labeler.ui.sessions.cookie import SERVED, token_hash
from shared.clients.answers import Session

NAMES = ("review_session", "upload_session", "image_session", "models_session", "browse_session")
MOST_KEPT = 20
"""How many tabs that went away are remembered; each may hold an image."""


@dataclass
class _Kept:
    login: str
    work: dict[str, Any] = field(default_factory=dict)


_LOCK = threading.Lock()
_kept: dict[str, _Kept] = {}
"""By the id of the Streamlit session, the oldest first."""


def keep(session: Session) -> None:
    """Remember what this tab has; called at every run, and as soon as there is new work."""
    if (tab := _tab()) is None:
        return
    work = {name: st.session_state[name] for name in NAMES if st.session_state.get(name) is not None}
    with _LOCK:
        _kept[tab] = _Kept(token_hash(session), work)
        gone = [known for known in _kept if not _is_open(known)]
        for old in gone[: max(0, len(gone) - MOST_KEPT)]:
            del _kept[old]


def adopt(session: Session) -> None:
    """Go on with the newest work of a tab of this login that is closed, unless this tab has work of its own. Where this
    tab is on a page already, what it has there counts: a former tab may close a moment later."""
    tab = _tab()
    if tab is None or _has_work(st.session_state):
        return
    with _LOCK:
        mine = [
            known
            for known, kept in _kept.items()
            if known != tab and kept.login == token_hash(session) and not _is_open(known)
        ]
        found = _kept.pop(mine[-1]) if mine else None
        for old in mine[:-1]:
            if not _has_work(_kept[old].work):
                del _kept[old]
    for name, work in (found.work if found else {}).items():
        if name != "review_session" and st.session_state.get(name) is not None:
            continue
        st.session_state[name] = work
        if name == "upload_session":
            work.shown_beside = None  # the uploader is empty after a reload


def _has_work(state: MutableMapping[str, Any] | Any) -> bool:
    review = state.get("review_session")
    return state.get("upload_session") is not None or (review is not None and review.begun)


def _tab() -> str | None:
    """Return the id of this Streamlit session; None without a server, as in tests of pages."""
    context = get_script_run_ctx()
    return context.session_id if context is not None and SERVED.is_set() else None


def _is_open(tab: str) -> bool:
    return runtime.get_instance().is_active_session(tab)
